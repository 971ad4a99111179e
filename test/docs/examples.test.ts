/** Code in the documentation is code that compiles and runs: each block is a part of a file that this project's tests use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { expect, it, vi } from "vitest";
import { codeBlocks, filesBelow, page, pages, root } from "./markdown.js";

const examplePath = "test/docs/examples/readme.ts";
const sources = filesBelow("test/docs", ".ts").map((path) => ({ path, lines: linesOf(path) }));

function linesOf(path: string): string[] {
  return readFileSync(join(root, path), "utf8").trimEnd().split("\n");
}

/** At any indentation. */
function contains(lines: readonly string[], wanted: readonly string[]): boolean {
  return lines.some((line, start) => {
    const indent = line.length - line.trimStart().length;
    return wanted.every((text, offset) => (lines[start + offset] ?? "").slice(text === "" ? 0 : indent) === text && (lines[start + offset] ?? "").slice(0, indent).trim() === "");
  });
}

const blocks = pages.flatMap((each) => codeBlocks(each).filter(({ language }) => language === "ts").map(({ lines }) => ({ path: each.path, first: lines[0] ?? "", lines })));

it.each(blocks)("$path: the code that begins with $first is in a file that is compiled and run", ({ lines }) => {
  expect(sources.filter((source) => contains(source.lines, lines)).map(({ path }) => path), lines.join("\n")).not.toEqual([]);
});

/** Most of it is loading the framework, on a machine that may be busy. */
const exampleMs = 60_000;

it("README.md has an example of thirty lines, whole, which prints what README.md says", async () => {
  const example = linesOf(examplePath);
  const whole = codeBlocks(page("README.md")).find(({ language }) => language === "ts");
  expect(whole?.lines).toEqual(example);
  expect(example.length).toBeLessThanOrEqual(30);

  const printed: unknown[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((value: unknown) => { printed.push(value); });
  try {
    await import("./examples/readme.js");
  } finally {
    log.mockRestore();
  }
  const said = codeBlocks(page("README.md")).find(({ language }) => language === "text")?.lines;
  expect(said).toEqual(printed.map((value) => format(value)));
}, exampleMs);
