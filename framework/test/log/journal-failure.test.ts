/** A journal that can no longer be written: nothing of what failed is taken for committed, and a new one takes its place. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openBackend } from "../../src/log/journaled-backend.js";
import { ended, firstLine, storeProcess } from "./store-process.js";

let directory: string;
beforeEach(() => { directory = mkdtempSync(join(tmpdir(), "lockstep-journal-")); });
afterEach(() => { rmSync(directory, { recursive: true, force: true }); });

describe("a store whose journal fails", () => {
  it("takes nothing of a commit that failed back from the journal, and goes on with a new one", async () => {
    // A device that is always full takes the journal's place.
    const child = storeProcess(directory, `
      const fs = await import("node:fs");
      const backend = await openBackend(directory);
      const journalId = () => fs.readFileSync(directory + "/journal").subarray(12, 28).toString("hex");
      const put = (key) => [{ type: "put", key, value: Buffer.alloc(3000, 1) }];
      await backend.commit(put("a"));
      await backend.commit(put("b"));
      const ids = [journalId()];
      const found = fs.readdirSync("/proc/self/fd").map(Number).find((fd) => {
        try { return fs.readlinkSync("/proc/self/fd/" + fd).endsWith("/journal"); } catch { return false; }
      });
      fs.closeSync(found);
      const full = []; while (full.at(-1) !== found) full.push(fs.openSync("/dev/full", "w"));
      for (const fd of full) if (fd !== found) fs.closeSync(fd);
      const failed = await backend.commit(put("c")).then(() => "it was taken", (error) => error.code + error.message);
      const before = [backend.get("b")?.length, backend.get("c")?.length ?? null];
      await backend.commit(put("d"));
      ids.push(journalId());
      await backend.commit(put("e"));
      ids.push(journalId());
      console.log(JSON.stringify([failed, before, backend.get("e")?.length, ids.map((id) => ids.indexOf(id))]));
      setInterval(() => {}, 1000);`);
    expect(JSON.parse(await firstLine(child))).toEqual([expect.stringMatching(/^STORE_FAILED.*ENOSPC/), [3_000, null], 3_000, [0, 1, 1]]);
    child.kill("SIGKILL");
    await ended(child);
    const found = await openBackend(directory);
    expect(found.keys("", "~", 100).filter((key) => key !== "journal")).toEqual(["a", "b", "d", "e"]);
    await found.close();
  });
});
