/** What a core begins with that is not the first one: of the same process, which lost the group, or on the disk of an earlier one. */
import { describe, expect, it } from "vitest";
import type { Ballot } from "../../src/core/ballot.js";
import { blankRecovery, writeDown } from "../../src/core/disk.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { genesis, initialCore, recoveredCore, resumedCore, type CoreConfig, type CoreState } from "../../src/core/state.js";

const config: CoreConfig = {
  slot: 1, incarnation: "1".padStart(16, "0"), slots: [1, 2, 3], policy: majorityPolicy, durability: "disk", machine: "m", version: 1,
  silenceTimeoutMs: 1, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
};
const ballot: Ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 2, attempt: 0 };
const promised: Ballot = { ...ballot, k: 3 };
const point = { position: 0, hash: genesis.hash };

function known(): CoreState {
  return { ...initialCore(config), ballot, promised, lineage: true, replaceState: true, known: [1, 3], diskFails: true };
}

describe("a replica that lost the group", () => {
  it("knows what it knew: its log, promises, that its state is wrong, that its disk fails, and who was active", () => {
    const before = known();
    const after = resumedCore({ ...config, incarnation: "2".padStart(16, "0") }, before);
    expect(after).toMatchObject({ ballot, promised, lineage: true, replaceState: true, known: [1, 3], diskFails: true, phase: "joining" });
    expect([after.log, after.disk]).toEqual([before.log, before.disk]);
  });

  it("knows who counted with it, and how many votes were enough; but not that it was never without quorum", () => {
    const before = { ...known(), unbroken: true, amongMost: true, companions: [1, 2], countedQuorum: 2 };
    expect(resumedCore(config, before)).toMatchObject({ companions: [1, 2], countedQuorum: 2, unbroken: false, amongMost: false });
  });

  it("has no lineage if it acknowledged more than it had verified, or had none", () => {
    expect(resumedCore(config, { ...known(), acknowledged: 1 }).lineage).toBe(false);
    expect(resumedCore(config, { ...known(), lineage: false }).lineage).toBe(false);
  });
});

describe("a replica on the disk of an earlier one", () => {
  it("claims what is there, and that its state is wrong if it was", () => {
    const head = { ballot, promised, lineage: true, replaceState: true, known: [1, 3] };
    expect(recoveredCore(config, { ...blankRecovery, head, base: point })).toMatchObject({ ballot, promised, lineage: true, replaceState: true, known: [1, 3], verified: 0, committed: 0 });
  });
});

describe("while a state that was taken over is not on disk", () => {
  /** What is written down of a core that holds such a state, if anything, on a disk that has this lineage. */
  function written(onDisk: boolean, more: Partial<CoreState>): unknown {
    const head = { ballot, promised: ballot, lineage: onDisk, replaceState: false, known: [1] };
    const state = { ...recoveredCore(config, { ...blankRecovery, head, base: point }), ...more };
    if (state.disk !== undefined) state.disk.adopted = { position: 5, hash: "5".padStart(32, "0") };
    writeDown(state);
    return state.effects.flatMap((effect) => (effect.type === "persist" ? [effect.write] : []))[0];
  }

  it("promises come to disk, and that it has lost its lineage, but not the ballot of that state, nor a lineage", () => {
    expect(written(true, {})).toBeUndefined();
    expect(written(true, { promised, ballot: promised })).toEqual({ entries: [], head: { ballot, promised, lineage: true, replaceState: false, known: [1] } });
    expect(written(true, { lineage: false })).toMatchObject({ entries: [], head: { ballot, lineage: false } });
    expect(written(false, { lineage: true })).toBeUndefined();
  });
});
