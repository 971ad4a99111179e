import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { lockServiceVersion } from "../../src/server/version.js";

it("the version that status and --version tell is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  expect(lockServiceVersion).toBe(version);
});
