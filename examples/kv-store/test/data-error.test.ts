/** What is said about data that cannot be used: for one replica on Corosync, and for several in one process. */
import { LockstepError } from "@lockstep/framework";
import { expect, it } from "vitest";
import { explainGroupStores, explainStore } from "../src/data-error.js";

const damaged = new LockstepError("STORE_DAMAGED", "It is damaged.");
const foreign = new LockstepError("STORE_FOREIGN", "It is of node 2, not 3.");
const locked = new LockstepError("STORE_LOCKED", "It is locked.");
const other = new LockstepError("COROSYNC_UNAVAILABLE", "It is not there.");

it("a damaged directory of a replica on Corosync is to be moved away, if the others are there", () => {
  expect(explainStore("/srv/kv", damaged)?.message).toBe("/srv/kv: It is damaged.\nThe others must be there with theirs, a majority of all. Here:\n  mv /srv/kv /srv/kv.damaged");
});

it("another node's directory is not to be moved away, and one in use is not either", () => {
  expect(explainStore("/srv/kv", foreign)?.message).toBe("/srv/kv: It is of node 2, not 3.");
  expect(explainStore("/srv/kv", locked)?.message).toMatch(/^\/srv\/kv is in use by another process/);
});

it("commands are such that a shell takes them, whatever the directory's name", () => {
  expect(explainStore("/it's mine", damaged)?.message).toContain(String.raw`mv '/it'\''s mine' '/it'\''s mine.damaged'`);
});

it("on Windows they are such that PowerShell takes them", () => {
  const { platform } = process;
  Object.defineProperty(process, "platform", { value: "win32" });
  try {
    expect(explainStore(String.raw`C:\it's mine`, damaged)?.message).toContain(String.raw`mv 'C:\it''s mine' 'C:\it''s mine.damaged'`);
  } finally {
    Object.defineProperty(process, "platform", { value: platform });
  }
});

it("with several replicas, all that is damaged is named, and moved away only as long as the rest is a majority", () => {
  const two = [{ replica: 2, error: damaged }, { replica: 5, error: foreign }];
  expect(explainGroupStores("/d", 5, two)?.message).toBe(
    "Replica 2 of 5, in /d/replica-2: It is damaged.\nReplica 5 of 5, in /d/replica-5: It is of node 2, not 3.\n" +
    "The other replicas have everything. Here:\n  mv /d/replica-2 /d/replica-2.damaged\n  mv /d/replica-5 /d/replica-5.damaged",
  );
  expect(explainGroupStores("/d", 4, two)?.message).toContain("Too few replicas are left for that");
  expect(explainGroupStores("/d", 1, [{ replica: 1, error: damaged }])?.message).toContain("begin without it.\n  mv /d /d.damaged");
});

it("where there is no database for data on disk, it is said how to do without", () => {
  const unavailable = new LockstepError("STORE_UNAVAILABLE", "It does not load.");
  expect(explainGroupStores("/d", 3, [{ replica: 1, error: unavailable }])?.message).toBe("It does not load.\nTo keep nothing on disk: lockstep-kv --memory, or npm start -- --memory");
});

it("errors about something else are left to others", () => {
  expect(explainStore("/srv/kv", other)).toBeUndefined();
  expect(explainGroupStores("/d", 3, [{ replica: 1, error: other }])).toBeUndefined();
});
