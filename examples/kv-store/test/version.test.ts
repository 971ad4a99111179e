import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { lockstepVersion } from "../src/server/version.js";

it("the version that INFO and --version tell is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  expect(lockstepVersion).toBe(version);
});
