/** The demonstration shows what it says. Runs what the build has made. */
import { describe, expect, it } from "vitest";
import type { demonstrate as Demonstrate } from "../../src/demo/fencing.js";

const { demonstrate } = (await import(new URL("../../dist/demo/fencing.js", import.meta.url).href)) as { readonly demonstrate: typeof Demonstrate };

describe("a client that is stopped past its lease, and writes late", () => {
  it("is refused by a resource that checks tokens, and knows that it has lost the lock", async () => {
    const { accepted, late } = await demonstrate({ checksTokens: true, say: () => undefined });
    expect(accepted.map(({ by, token }) => [by, token])).toEqual([["B", 2]]);
    expect(late).toMatchObject({ status: 412, held: false, aborted: true });
  });

  it("overwrites what the next holder wrote where tokens are not checked", async () => {
    const { accepted, late } = await demonstrate({ checksTokens: false, say: () => undefined });
    expect(accepted.map(({ by, token }) => [by, token])).toEqual([["B", 2], ["A", 1]]);
    expect(late).toMatchObject({ status: 200, held: false, aborted: true });
  });
});
