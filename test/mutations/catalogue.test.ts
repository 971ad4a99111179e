/** The mistakes are edits of the code as it is: one that fits no more would be told of only by a whole run. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { catalogue } from "./catalogue/index.js";

const sources = new URL("../../framework/src/", import.meta.url);

describe("the catalogue of mistakes", () => {
  it("has edits that fit the code, each in one place", () => {
    const unfit = catalogue.flatMap(({ id, edits }) => edits.filter(({ file, find }) => readFileSync(fileURLToPath(new URL(file, sources)), "utf8").split(find).length !== 2).map(({ file }) => `${id}: ${file}`));
    expect(unfit).toEqual([]);
  });

  it("names each mistake once", () => {
    const names = catalogue.map(({ id }) => id);
    expect(new Set(names).size).toBe(names.length);
  });
});
