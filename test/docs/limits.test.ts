/** docs/limits.md against the limits themselves, and against the constants of the code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { defaultLimits, defaultMemoryLimits } from "@lockstep/framework";
import { describe, expect, it } from "vitest";
import { page, root, table } from "./markdown.js";

const limits = page("docs/limits.md");

/** `64 MiB` is 64 × 2^20; `10 000 ms` is 10000; `100 000` is 100000. */
function numberOf(text: string): number {
  const [, digits = "", unit = ""] = /^([\d ]+?)(?: (KiB|MiB|ms|B))?$/.exec(text) ?? [];
  const factor = { KiB: 2 ** 10, MiB: 2 ** 20 }[unit] ?? 1;
  return digits === "" ? Number.NaN : Number(digits.replaceAll(" ", "")) * factor;
}

function documented(...header: readonly string[]): Record<string, number> {
  return Object.fromEntries(table(limits, ...header).map(([name = "", value = ""]) => [name, numberOf(value)]));
}

describe("docs/limits.md", () => {
  it("lists every limit of a replica with its default", () => {
    expect(documented("limits", "default")).toEqual(defaultLimits);
  });

  it("lists every limit of an in-process network with its default", () => {
    expect(documented("MemoryNetwork limits", "default")).toEqual(defaultMemoryLimits);
  });

  it("lists every option of corosync() with its default", async () => {
    const options = pathToFileURL(join(root, "framework/src/transport/corosync/options.ts")).href;
    const { completeOptions } = (await import(options)) as { completeOptions: (given: object) => Record<string, number> };
    expect(documented("corosync()", "default")).toEqual(completeOptions({}));
  });

  it.each([
    [["lock server", "default"], "examples/lock-service/src/server/limits.ts", "defaultServerLimits"],
    [["lock machine", "value"], "examples/lock-service/src/machine/inputs.ts", "machineLimits"],
  ] as const)("lists every limit of the %j with its value", async (header, path, name) => {
    const source = (await import(pathToFileURL(join(root, path)).href)) as Readonly<Record<string, Record<string, number>>>;
    expect(documented(...header)).toEqual(source[name]);
  });

  it("gives a reason for every limit", () => {
    const rows = [table(limits, "lock server"), table(limits, "lock machine"), table(limits, "limits"), table(limits, "MemoryNetwork limits"), table(limits, "corosync()"), table(limits, "constant")].flat();
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((row) => (row.at(-1) ?? "").length < 20)).toEqual([]);
  });

  it.each(table(limits, "constant"))("says of the constant %s that it is %s, in %s", (name, value = "", path = "") => {
    const source = readFileSync(join(root, path), "utf8");
    const [, expression = ""] = new RegExp(`\\b(?:const ${name} =|${name}:) ([\\d_ *]+?) ?[,;}]`).exec(source) ?? [];
    const product = expression.split("*").reduce((soFar, factor) => soFar * Number(factor.replaceAll("_", "")), 1);
    expect(product).toBe(numberOf(value));
  });
});
