/** The mistakes are edits of the code as it is: one that fits no more would be told of only by a whole run. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { catalogue } from "./catalogue/index.js";

const sources = new URL("../../framework/src/", import.meta.url);
const page = readFileSync(fileURLToPath(new URL("../../docs/mutations.md", import.meta.url)), "utf8");
/** Mistake, rule, what found it. */
const rows = page.split("\n").filter((line) => line.startsWith("| ")).slice(2).map((line) => line.slice(2, -2).split(" | "));

describe("the catalogue of mistakes", () => {
  it("has edits that fit the code, each in one place", () => {
    const unfit = catalogue.flatMap(({ id, edits }) => edits.filter(({ file, find }) => readFileSync(fileURLToPath(new URL(file, sources)), "utf8").split(find).length !== 2).map(({ file }) => `${id}: ${file}`));
    expect(unfit).toEqual([]);
  });

  it("names each mistake once", () => {
    const names = catalogue.map(({ id }) => id);
    expect(new Set(names).size).toBe(names.length);
  });

  it("is what the page of results lists, each mistake with its rule, once and in the same order", () => {
    expect(rows.map(([id, rule]) => `${id}: ${rule}`)).toEqual(catalogue.map(({ id, rule, section }) => `${id}: ${rule} (${section})`));
  });

  it("was found as often, and by what, as the page says above its table", () => {
    const found = (how: RegExp): number => rows.filter(([, , verdict]) => how.test(verdict ?? "")).length;
    const [all, histories, single, nothing] = [rows.length, found(/^histories of /), found(/^`/), found(/^changes nothing: /)];
    expect(page).toContain(`\n${all} mistakes: ${histories} found in random histories, ${single} by transcripts and tests of single parts, ${nothing} that change nothing, ${all - histories - single - nothing} not found.\n`);
  });
});
