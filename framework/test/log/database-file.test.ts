/** The file of a database, from its first moment on: one that has become empty, or is gone, was damaged, and is not taken for a blank one. */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLmdb } from "../../src/log/lmdb-backend.js";
import type { Change } from "../../src/log/store.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lockstep-database-"));
  path = join(directory, "data.mdb");
});
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

const put: Change = { type: "put", key: "a", value: Buffer.from("one") };

async function use(changes: readonly Change[]): Promise<void> {
  const backend = await openLmdb(directory);
  await backend.commit(changes);
  await backend.close();
}

describe("the file of a database", () => {
  it("of which nothing is left is refused, whether it was used or not, and stays as it is", async () => {
    for (const changes of [[], [put]]) {
      await use(changes);
      writeFileSync(path, "");
      await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_DAMAGED", message: expect.stringMatching(/it has 0 bytes.* Move the directory away.* restore a backup/) as string });
      expect(statSync(path).size).toBe(0);
      rmSync(path);
      await expect(openLmdb(directory)).rejects.toMatchObject({ code: "STORE_DAMAGED", message: expect.stringContaining("data.mdb is missing, and was there once") as string });
      expect(readdirSync(directory)).toEqual(["data.mdb-lock"]);
      rmSync(`${path}-lock`);
    }
  });

  it("whose creation was broken off is made anew", async () => {
    for (const left of ["", "\0".repeat(8192), "anything"]) {
      writeFileSync(`${path}.new`, left);
      writeFileSync(`${path}.new-lock`, left);
      await use([put]);
      expect(readdirSync(directory)).toEqual(["data.mdb", "data.mdb-lock"]);
      for (const name of readdirSync(directory)) rmSync(join(directory, name));
    }
  });
});
