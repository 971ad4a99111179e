/** What becomes an entry, and when: submissions as far as the window allows, who the members are, the time alone. */
import { describe, expect, it } from "vitest";
import { ClusterClock } from "../../src/apply/cluster-clock.js";
import { decodeEntry } from "../../src/codec/entry-codec.js";
import type { Effect } from "../../src/core/events.js";
import type { BatchMessage } from "../../src/core/messages.js";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { genesis, initialCore, type CoreState } from "../../src/core/state.js";
import { step } from "../../src/core/step.js";
import { defaultLimits } from "../../src/limits.js";
import { Proposer } from "../../src/submit/proposer.js";
import { Submissions } from "../../src/submit/submissions.js";
import { Timekeeper } from "../../src/submit/timekeeper.js";

const ballot = { era: 0, ringSeq: 40n, ringNode: 1, k: 1, attempt: 0 };
const members = [1, 2, 3].map((slot) => ({ slot, incarnation: String(slot).padStart(16, "0") }));
const self = { nodeId: 1, pid: 1 };
const limits = { ...defaultLimits, inFlightBatches: 2, batchBytes: 1 };

/** Slot 1 of three, active in a view, with a real core that multicasts into a list. */
class Scene {
  readonly core: CoreState = {
    ...initialCore({
      slot: 1, incarnation: members[0]?.incarnation ?? "", slots: [1, 2, 3], policy: majorityPolicy, durability: "memory", machine: "m", version: 1,
      silenceTimeoutMs: 1_000, transferTimeoutMs: 1_000, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
    }),
    phase: "active", ring: { nodeId: 1, seq: 40n }, self, ballot, promised: ballot, lineage: true,
    view: { ballot, members, target: genesis, holders: [1, 2, 3], quorum: undefined },
  };
  readonly submissions = new Submissions(limits, () => undefined);
  readonly clock = new ClusterClock({ monotonicMs: () => 0, wallMs: () => 0 });
  readonly timekeeper = new Timekeeper({
    clock: this.clock, slot: 1, incarnation: this.core.config.incarnation, send: () => undefined, submitted: () => this.submissions.submitted,
    patienceMs: 1_000, everyMs: 1_000, exchangeAgain: () => undefined,
  });
  readonly sent: BatchMessage[] = [];
  readonly proposer = new Proposer({
    core: this.core, submissions: this.submissions, clock: this.clock, timekeeper: this.timekeeper, limits,
    tellCore: (event) => { this.heard(step(this.core, event).effects); },
  });

  constructor(knowsTime = true) {
    this.timekeeper.viewInstalled(ballot, knowsTime ? { stoodAtMs: 5_000, inStep: new Map(), reference: this.core.config.incarnation } : undefined);
  }

  heard(effects: readonly Effect[]): void {
    for (const effect of effects) if (effect.type === "multicast" && effect.message.type === "batch") this.sent.push(effect.message);
  }

  submit(count: number): void {
    for (let left = count; left > 0; left--) this.submissions.submit(new Uint8Array(8), undefined, { deadlineMs: 1_000 }).catch(() => undefined);
  }

  /** The next of those that are under way comes back, is acknowledged by slot 2, and so committed. */
  commit(position: number): void {
    const message = this.sent[position - 1];
    if (message === undefined) throw new Error(`nothing was sent for position ${position}`);
    this.heard(step(this.core, { type: "message", sender: self, message }).effects);
    const hash = this.core.log.hashAt(position) ?? "";
    this.heard(step(this.core, { type: "message", sender: { nodeId: 2, pid: 1 }, message: { type: "ack", ballot, point: { position, hash }, ack: position } }).effects);
  }
}

describe("the proposer", () => {
  it("keeps no more entries under way than it may, and fills the place of each that comes back", () => {
    const scene = new Scene();
    scene.submit(4);
    scene.proposer.flush();
    expect(scene.sent.map(({ record }) => record.n)).toEqual([1, 2]);
    scene.commit(1);
    scene.proposer.flush();
    expect(scene.sent.map(({ record }) => record.n)).toEqual([1, 2, 3]);
  });

  it("sends nothing but who the members are before the group has a time", () => {
    const scene = new Scene(false);
    scene.submit(1);
    scene.proposer.proposeTick();
    scene.proposer.announce(members);
    scene.proposer.flush();
    expect(scene.sent.map(({ record }) => decodeEntry(record.bytes).members)).toEqual([members]);
  });

  it("sends the entry about its members in their view only: in the next one it would contradict that one's own", () => {
    const scene = new Scene();
    scene.proposer.announce(members);
    scene.submit(1);
    scene.proposer.flush();
    expect(scene.sent).toHaveLength(2);
    expect(scene.core.pending.map(({ record, awaited }) => [record.n, awaited])).toEqual([[1, false], [2, true]]);
  });

  it("sends an entry for its time alone when nothing else is under way or waits for a quorum, and at no other time", () => {
    const scene = new Scene();
    scene.proposer.proposeTick();
    scene.proposer.proposeTick();
    expect(scene.sent).toHaveLength(1);
    // It has come back, and nobody has acknowledged it: a log that commits nothing must not fill with them.
    scene.heard(step(scene.core, { type: "message", sender: self, message: scene.sent[0] as BatchMessage }).effects);
    scene.proposer.proposeTick();
    expect([scene.core.log.end, scene.core.committed, scene.sent.length]).toEqual([1, 0, 1]);
    scene.heard(step(scene.core, { type: "message", sender: { nodeId: 2, pid: 1 }, message: { type: "ack", ballot, point: { position: 1, hash: scene.core.log.hashAt(1) ?? "" }, ack: 1 } }).effects);
    scene.proposer.proposeTick();
    expect([scene.core.committed, scene.sent.length]).toEqual([1, 2]);
  });

  it("sends nothing where the core takes no entries: outside of a view, or behind a hole", () => {
    for (const state of [{ phase: "synchronising" as const }, { holed: true }]) {
      const scene = new Scene();
      Object.assign(scene.core, state);
      scene.submit(1);
      scene.proposer.announce(members);
      scene.proposer.flush();
      scene.proposer.proposeTick();
      expect(scene.sent, JSON.stringify(state)).toEqual([]);
    }
  });
});
