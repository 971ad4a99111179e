/** Who may decide and when something is committed: both policies, on all small groups. */
import { describe, expect, it } from "vitest";
import { zeroBallot } from "../../src/core/ballot.js";
import type { QuorumReport, StateReport } from "../../src/core/messages.js";
import { corosyncPolicy, majorityOf, majorityPolicy, votesUnknown } from "../../src/core/quorum-policy.js";
import { genesis } from "../../src/core/state.js";

function report(slot: number, lineage: boolean, quorum?: QuorumReport): StateReport {
  return {
    slot, lineage, unbroken: lineage, companions: [], yields: false, incarnation: "00000000000000aa", ballot: lineage ? { ...zeroBallot, ringSeq: 4n } : zeroBallot, verified: genesis, committed: genesis, k: 0,
    promised: zeroBallot, machine: "m", version: 1, slots: [], durability: "memory", known: [], policy: "p", ...(quorum === undefined ? {} : { quorum }),
  };
}

const slotsOf = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
const subsets = (slots: readonly number[]): number[][] => Array.from({ length: 2 ** slots.length }, (_, bits) => slots.filter((_slot, index) => (bits >> index) % 2 === 1));

describe("majority", () => {
  it("never calls two views primary that have no member with lineage in common, unless all slots are there", () => {
    for (const count of [1, 2, 3, 4, 5]) {
      const slots = slotsOf(count);
      const primary = subsets(slots).filter((set) => majorityPolicy.judge(slots, set.map((slot) => report(slot, true))).primary);
      for (const one of primary) for (const other of primary) expect(one.some((slot) => other.includes(slot))).toBe(true);
      expect(primary.every((set) => set.length >= majorityOf(count))).toBe(true);
    }
  });

  it("does not count blank members, unless every slot is present", () => {
    expect(majorityPolicy.judge([1, 2, 3], [report(1, true), report(2, false)])).toMatchObject({ primary: false });
    const [none, some] = [[report(1, false), report(2, false)], [report(1, true), report(2, false)]].map((reports) => majorityPolicy.judge([1, 2, 3], reports));
    expect(none, "a quorum would not begin a group").toMatchObject({ primary: false, reason: expect.stringMatching(/2 are needed, or at a first start all 3 slots$/) as string });
    expect(some).toMatchObject({ primary: false, reason: expect.stringMatching(/2 are needed$/) as string });
    expect(majorityPolicy.judge([1, 2, 3], [report(1, true), report(2, false), report(3, false)])).toMatchObject({ primary: true, trusted: "everyone" });
    expect(majorityPolicy.judge([1, 2, 3], [1, 2, 3].map((slot) => report(slot, false)))).toMatchObject({ primary: true, loud: expect.stringContaining("first start") as string });
    expect(majorityPolicy.judge([1, 2, 3], [report(1, true), report(3, true)])).toEqual({ primary: true, trusted: "lineage", loud: undefined });
  });

  it("commits what more than half of all slots have acknowledged", () => {
    const committed = (acks: [number, number][], count: number): number => majorityPolicy.committed({ slots: slotsOf(count), acks: new Map(acks), holders: [], quorum: undefined });
    expect(committed([[1, 5]], 1)).toBe(5);
    expect(committed([[1, 5]], 2)).toBe(0);
    expect(committed([[1, 5], [2, 3]], 2)).toBe(3);
    expect(committed([[1, 9], [2, 7]], 3)).toBe(7);
    expect(committed([[1, 9], [2, 7], [3, 1]], 3)).toBe(7);
    expect(committed([[1, 9], [2, 7]], 4)).toBe(0);
    expect(committed([[5, 1], [4, 2], [3, 3], [2, 4], [1, 5]], 5)).toBe(3);
  });
});

describe("corosync", () => {
  const policy = corosyncPolicy({ twoNodeIsFenced: false });
  const votes: QuorumReport = { quorate: true, votes: [[1, 1], [2, 1], [3, 1]], deviceVotes: 0, quorum: 2, twoNode: false, shrinks: false };

  it("needs news from every member, and votes of members with lineage", () => {
    expect(policy.judge([1, 2, 3], [report(1, true, votes), report(2, true)])).toMatchObject({ primary: false, reason: expect.stringContaining("nodes 2") as string });
    expect(policy.judge([1, 2, 3], [report(1, true, votes), report(2, true, { ...votes, quorate: false })])).toMatchObject({ primary: false });
    expect(policy.judge([1, 2, 3], [report(1, true, votes), report(2, false, votes)])).toMatchObject({ primary: false, reason: expect.stringContaining("1 votes of the 2") as string });
    expect(policy.judge([1, 2, 3], [report(1, true, votes), report(2, true, votes)])).toMatchObject({ primary: true });
    expect(policy.judge([1, 2, 3], [report(1, true, { ...votes, deviceVotes: 1 })])).toMatchObject({ primary: true });
  });

  it("counts a vote that remembers nothing only for members that know that nobody else can have had it", () => {
    const broken = (slot: number, quorum: QuorumReport): StateReport => ({ ...report(slot, true, quorum), unbroken: false });
    const device = { ...votes, votes: [[1, 1], [2, 1]] as const, deviceVotes: 1 };
    expect(policy.judge([1, 2], [report(1, true, device)])).toMatchObject({ primary: true });
    expect(policy.judge([1, 2], [broken(1, device)])).toMatchObject({ primary: false, reason: expect.stringContaining("others may have gone on") as string });
    expect(policy.judge([1, 2], [broken(1, device), broken(2, device)]), "with the votes of nodes alone").toMatchObject({ primary: true, trusted: "lineage" });
    // Four votes, three needed: whoever was quorate without the third had the device and both of the first two.
    const four = { ...device, votes: [[1, 1], [2, 1], [3, 1]] as const, quorum: 3 };
    expect(policy.judge([1, 2, 3], [broken(1, four), broken(2, four)])).toMatchObject({ primary: false });
    expect(policy.judge([1, 2, 3], [broken(1, four), report(2, true, four)])).toMatchObject({ primary: true });
    const two = { ...device, deviceVotes: 0, quorum: 1, twoNode: true, shrinks: false };
    const fenced = corosyncPolicy({ twoNodeIsFenced: true });
    expect(fenced.judge([1, 2], [broken(1, two)])).toMatchObject({ primary: false });
    expect(fenced.judge([1, 2], [broken(1, two), broken(2, two)])).toMatchObject({ primary: true });
  });

  it("never calls two views primary by the votes of nodes alone that have no node in common, whatever the device adds to one of them", () => {
    for (const count of [2, 3, 4, 5]) for (const deviceVotes of [0, 1, count - 1]) {
      const slots = slotsOf(count);
      const quorum = Math.floor((count + deviceVotes) / 2) + 1;
      const told = { quorate: true, votes: slots.map((slot) => [slot, 1] as const), deviceVotes, quorum, twoNode: false, shrinks: false };
      // Not all of them: then nobody is missing.
      const primary = (unbroken: boolean, quorate: typeof told): number[][] => subsets(slots).filter((set) => set.length > 0 && set.length < count && policy.judge(slots, set.map((slot) => ({ ...report(slot, true, quorate), unbroken }))).primary);
      for (const one of primary(false, told)) for (const other of primary(true, told)) expect(one.some((slot) => other.includes(slot)), `${String(one)} after ${String(other)}, ${deviceVotes} of the device`).toBe(true);
    }
  });

  it("trusts no number of nodes where the quorum shrinks, only members that know that nobody else can have been quorate", () => {
    const slots = slotsOf(5);
    const shrinks: QuorumReport = { quorate: true, votes: slots.map((slot) => [slot, 1] as const), deviceVotes: 0, quorum: 2, twoNode: false, shrinks: true };
    // 1 and 2 were left over of five, and enough, while 3 was alone, and 4 and 5 were.
    const apart = (slot: number, known: readonly number[] = []): StateReport => ({ ...report(slot, known.length === 0 || slot > 2, shrinks), unbroken: false, known });
    expect(policy.judge(slots, [3, 4, 5].map((slot) => apart(slot)))).toMatchObject({ primary: false, reason: expect.stringContaining("last_man_standing") as string });
    expect(policy.judge(slots, [1, 2].map((slot) => report(slot, true, shrinks)))).toMatchObject({ primary: true });
    expect(policy.judge(slots, slots.map((slot) => apart(slot)))).toMatchObject({ primary: true, trusted: "everyone" });
    expect(policy.judge(slots, slots.map((slot) => apart(slot, slots))), "1 and 2 have lost their disks").toMatchObject({ primary: false });
  });

  it("refuses two_node unless the nodes are fenced", () => {
    const two: QuorumReport = { quorate: true, votes: [[1, 1], [2, 1]], deviceVotes: 0, quorum: 1, twoNode: true, shrinks: false };
    expect(policy.judge([1, 2], [report(1, true, two)])).toMatchObject({ primary: false, reason: expect.stringContaining("two_node") as string });
    expect(corosyncPolicy({ twoNodeIsFenced: true }).judge([1, 2], [report(1, true, two)])).toMatchObject({ primary: true });
  });

  it("decides nothing by votes that are not known, whatever else a report says", () => {
    // Slot 3 was away while 1 and 2 committed with their two votes, and then they lost their memory: 3 alone must not go on.
    const after = (quorum: QuorumReport): StateReport[] => [1, 2, 3].map((slot) => ({ ...report(slot, slot === 3, quorum), known: slot === 3 ? [1, 2, 3] : [] }));
    expect(policy.judge([1, 2, 3], after(votes))).toMatchObject({ primary: false });
    const partial = { ...votes, votes: [[1, 1], [3, 1]] as const };
    expect(policy.judge([1, 2, 3], after(partial))).toMatchObject({ primary: false });
    for (const unread of [votesUnknown, { ...votes, votes: [] }, { ...votes, votes: [], quorum: 1 }, { ...votes, votes: [], quorum: 0 }, { ...votes, votes: [], quorum: 1, deviceVotes: 1 }, { ...votes, quorum: 0 }]) {
      const judged = policy.judge([1, 2, 3], after(unread));
      expect(judged, JSON.stringify(unread)).toMatchObject({ primary: false, reason: expect.stringContaining("cannot be read on nodes 1, 2, 3") as string });
      expect(policy.judge([1, 2, 3], [report(1, true, votes), report(2, true, unread), report(3, true, votes)])).toMatchObject({ primary: false, reason: expect.stringContaining("on nodes 2") as string });
      expect(policy.nobodyMissing([1, 2, 3], after(unread))).toBe(false);
      expect(policy.committed({ slots: [1, 2, 3], acks: new Map([[1, 5], [2, 5], [3, 5]]), holders: [1, 2, 3], quorum: unread })).toBe(0);
    }
  });

  it("commits what all active members have acknowledged, and only while their votes are quorate", () => {
    const committed = (acks: [number, number][], holders: number[], quorum: QuorumReport | undefined): number => policy.committed({ slots: [1, 2, 3], acks: new Map(acks), holders, quorum });
    expect(committed([[1, 5], [2, 4], [3, 3]], [1, 2, 3], votes)).toBe(3);
    expect(committed([[1, 5], [2, 4]], [1, 2, 3], votes)).toBe(0);
    expect(committed([[1, 5], [2, 4]], [1, 2], votes)).toBe(4);
    expect(committed([[1, 5]], [1], votes)).toBe(0);
    expect(committed([[1, 5], [2, 4]], [1, 2], { ...votes, quorate: false })).toBe(0);
    expect(committed([[1, 5], [2, 4]], [1, 2], undefined)).toBe(0);
  });
});
