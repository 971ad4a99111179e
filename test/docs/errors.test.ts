/** Codes, documentation and types agree: docs/errors.md against the registry, the registry against the code that uses it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LockstepError, errorRegistry, isLockstepError, type ErrorCode, type Outcome } from "@lockstep/framework";
import { describe, expect, it } from "vitest";
import { filesBelow, page, root, table } from "./markdown.js";

const codes = Object.keys(errorRegistry) as ErrorCode[];
const sources = ["framework/src", "examples/kv-store/src"].flatMap((directory) => filesBelow(directory, ".ts"))
  .filter((path) => path !== "framework/src/errors.ts")
  .map((path) => readFileSync(join(root, path), "utf8"));

/** How the documentation says what is known of a command's effect. */
const effect: Readonly<Record<Outcome, string>> = { none: "none", unknown: "unknown", "n/a": "" };

describe("docs/errors.md", () => {
  it("lists exactly the codes of the registry, in its order, with its words", () => {
    const generated = codes.map((code) => [code, effect[errorRegistry[code].outcome], errorRegistry[code].when]);
    expect(table(page("docs/errors.md"), "code", "effect"), `The table must be:\n${generated.map(([code, outcome, when]) => `| \`${code}\` | ${outcome} | ${when} |`).join("\n")}`).toEqual(generated);
  });

  it("speaks of no code that does not exist", () => {
    const spoken = new Set(page("docs/errors.md").text.match(/\b[A-Z]+(?:_[A-Z]+)+\b/g));
    expect([...spoken].filter((code) => !codes.includes(code as ErrorCode))).toEqual([]);
  });
});

describe("the registry", () => {
  it.each(codes)("has %s, which the framework returns", (code) => {
    expect(sources.some((source) => source.includes(`"${code}"`))).toBe(true);
  });

  it.each(codes)("gives its outcome to every error with %s", (code) => {
    const error = new LockstepError(code, "text");
    expect([error.code, error.outcome, isLockstepError(error, code)]).toEqual([code, errorRegistry[code].outcome, true]);
  });
});
