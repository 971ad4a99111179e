/** Mistakes with what is on disk. */
import { byReplicaHistories, byScenario, type Mutation } from "../mutation.js";

const disk = "core/disk.ts";
const journal = "log/journal.ts";
const section = "On disk";
const byJournalTest = { by: "test", file: "log/journaled-backend.test.ts" } as const;

export const durability: readonly Mutation[] = [
  {
    id: "acknowledges-before-the-disk-has-it",
    rule: "What is acknowledged has been written.",
    section,
    edits: [{ file: disk, find: "Math.min(disk.flushed.end, verified) : 0;", replace: "verified : 0;" }],
    caught: byReplicaHistories,
  },
  {
    id: "writes-down-what-is-not-verified",
    rule: "Only verified entries are written.",
    section,
    edits: [
      { file: disk, find: "const { log, verified, ballot, promised, lineage, replaceState, known } = state;", replace: "const { log, ballot, promised, lineage, replaceState, known } = state;\n  const verified = log.end;" },
    ],
    caught: { ...byReplicaHistories, otherwise: "durable-what-was-cut-is-cut-on-disk-as-well" },
  },
  {
    id: "announces-only-what-it-acknowledges",
    rule: "A new position is announced even when the acknowledged one did not move, or nothing would be verified.",
    section,
    edits: [{ file: "core/replicate.ts", find: "(state.announced.position !== state.log.end || state.announced.ack !== durableEnd(state))", replace: "state.announced.ack !== durableEnd(state)" }],
    caught: { ...byReplicaHistories, otherwise: "durable-a-new-position-is-announced-before-it-is-acknowledged" },
  },
  {
    id: "takes-a-ballot-without-promises",
    rule: "Nobody takes a ballot before enough slots have written down that they promise it.",
    section,
    edits: [{ file: "core/install.ts", find: "if (state.disk === undefined) return enterView(state, decision);", replace: "if (state.disk === undefined || state.nowMs >= 0) return enterView(state, decision);" }],
    caught: { ...byReplicaHistories, otherwise: "durable-a-ballot-is-taken-when-a-majority-has-written-down-its-promise" },
  },
  {
    id: "promises-before-the-disk-has-it",
    rule: "A promise is sent when it is on disk.",
    section,
    edits: [
      { file: "core/promise.ts", find: "  if (compareBallots(disk.flushed.head.promised, ballot) < 0) return;\n", replace: "" },
      { file: "core/promise.ts", find: "import { compareBallots, equalBallots } from", replace: "import { equalBallots } from" },
      { file: "core/install.ts", find: "promised: new Set(), sent: false };\n", replace: "promised: new Set(), sent: false };\n  sendPromise(state);\n" },
      { file: "core/install.ts", find: "import { countPromise } from", replace: "import { countPromise, sendPromise } from" },
    ],
    caught: { ...byReplicaHistories, otherwise: "durable-a-ballot-is-taken-when-a-majority-has-written-down-its-promise" },
  },
  {
    id: "speaks-in-a-ballot-that-is-not-written",
    rule: "Nothing is said in a ballot before it is on disk.",
    section,
    edits: [{ file: disk, find: "equalBallots(disk.flushed.head.ballot, ballot));", replace: "equalBallots(disk.issued.head.ballot, ballot));" }],
    caught: byReplicaHistories,
  },
  {
    id: "writes-the-ballot-before-the-entries",
    rule: "A ballot comes to disk with the log that it was taken with.",
    section,
    edits: [{ file: disk, find: "  for (let position = from + 1; position <= verified; position++) {", replace: "  for (let position = from + 1; position <= (equalBallots(ballot, issued.head.ballot) ? verified : from); position++) {" },
      { file: disk, find: "end: Math.max(from, verified) };", replace: "end: equalBallots(ballot, issued.head.ballot) ? Math.max(from, verified) : from };" }],
    caught: byReplicaHistories,
  },
  {
    id: "leaves-what-was-cut-on-disk",
    rule: "What was cut in memory is cut on disk in the same write.",
    section,
    edits: [{ file: disk, find: "disk.agrees = Math.min(disk.agrees, position);", replace: "disk.agrees = Math.min(disk.agrees, position + 1_000);" }],
    caught: { ...byReplicaHistories, otherwise: "durable-what-was-cut-is-cut-on-disk-as-well" },
  },
  {
    id: "switches-to-a-transfer-before-it-is-written",
    rule: "While a state that was taken over is not on disk, the old log stays there with its old claims.",
    section,
    edits: [{ file: disk, find: "  const head: StoreHead = { ...before, promised, lineage: before.lineage && lineage, known };", replace: "  const head: StoreHead = { ...before, ballot, promised, lineage, known };" },
      { file: disk, find: "function promiseOnly({ promised, lineage, known }", replace: "function promiseOnly({ promised, lineage, known, ballot }" }],
    caught: { ...byReplicaHistories, otherwise: "durable-a-state-that-was-taken-over-counts-when-it-is-on-disk" },
  },
  {
    id: "counts-k-anew-after-a-restart",
    rule: "k is at least that of the highest promise in the ring.",
    section,
    edits: [{ file: "core/exchange.ts", find: "Math.max(state.k, isOfRing(state, state.promised) ? state.promised.k : 0)", replace: "state.k" }],
    caught: { ...byReplicaHistories, otherwise: "durable-k-goes-on-after-a-restart-in-the-same-ring" },
  },
  {
    id: "goes-on-without-those-who-were-there",
    rule: "The presence of all slots is not enough if a quorum may be among those that have lost their disks.",
    section,
    edits: [{ file: "core/quorum-policy.ts", find: "everyoneSpeaks(slots, reports) && forgotten(reports).length < majorityOf(slots.length),", replace: "everyoneSpeaks(slots, reports)," }],
    caught: { ...byReplicaHistories, otherwise: "durable-all-are-present-and-a-majority-has-lost-its-disks" },
  },
  {
    id: "forgets-that-it-is-outdated",
    rule: "That a member is outdated is written down.",
    section,
    edits: [{ file: disk, find: "  const head: StoreHead = { ballot, promised, lineage, replaceState, known };", replace: "  const head: StoreHead = { ballot, promised, lineage: lineage || issued.head.lineage, replaceState, known };" }],
    caught: { ...byReplicaHistories, otherwise: "durable-corosync-policy-an-outdated-member-is-outdated-after-a-restart" },
  },
  {
    id: "drops-from-memory-what-is-not-written",
    rule: "Entries that are not on disk yet are kept in memory.",
    section,
    edits: [{ file: "core/step.ts", find: "Math.min(applied, writtenThrough(state))", replace: "applied" }],
    caught: byReplicaHistories,
  },
  {
    id: "speaks-with-a-full-disk-where-all-must-acknowledge",
    rule: "Where all must acknowledge, a replica whose disk takes nothing lets the others exclude it.",
    section,
    edits: [{ file: "core/exchange.ts", find: "return diskFails && config.policy.outdates;", replace: "return diskFails && config.slots.length < 0 && config.policy.outdates;" }],
    caught: byScenario("durable-a-full-disk-where-all-must-acknowledge"),
  },
  {
    id: "goes-on-after-a-gap-in-the-journal",
    rule: "A store whose journal lacks a record before one that is there is refused.",
    section,
    edits: [{ file: journal, find: "if (number !== through + 1 + index) damaged(", replace: "if (number <= through) damaged(" }],
    caught: byJournalTest,
  },
  {
    id: "takes-damage-for-a-torn-write",
    rule: "A last record that is all there and does not read has been damaged.",
    section,
    edits: [{ file: journal, find: "if (corrupt.some((record) => record.firstTag === firstTag(last + 1))) damaged(", replace: "if (corrupt.length < 0 && corrupt.some((record) => record.firstTag === firstTag(last + 1))) damaged(" }],
    caught: byJournalTest,
  },
  {
    id: "drops-what-was-changed-while-it-was-written-back",
    rule: "What changes while an earlier value of it goes into the database stays in memory.",
    section,
    edits: [{ file: "log/journaled-backend.ts", find: "for (const [key, value] of some) if (this.#pending.get(key) === value) this.#pending.delete(key);", replace: "for (const [key] of some) this.#pending.delete(key);" }],
    caught: byJournalTest,
  },
  {
    id: "says-that-the-database-has-what-it-lacks",
    rule: "A part of the journal counts as written back when all of it is in the database.",
    section,
    edits: [{ file: "log/journaled-backend.ts", find: "const all = this.#pending.toArray();", replace: "const all = this.#pending.toArray();\n    await this.#database.commit([recordOf(checkpoint)]);" }],
    caught: byJournalTest,
  },
  {
    id: "writes-over-what-the-database-lacks",
    rule: "A half of the journal is used again when all of it is in the database.",
    section,
    edits: [{ file: "log/journaled-backend.ts", find: "    await this.#writingBack;\n    // It failed, then; now it is for the caller to know.\n    if ((this.#checkpoint?.through ?? 0) < this.#rotatedAt) await", replace: "    if ((this.#checkpoint?.through ?? 0) < 0) await" }],
    caught: byJournalTest,
  },
  {
    id: "joins-logs-of-different-starts",
    rule: "Where members of several starts meet, one start goes on; the others stop, and keep what they have.",
    section: "New starts",
    edits: [{ file: "core/decide.ts", find: "const strays = findStrays(ofSlots);", replace: "const strays = findStrays(ofSlots.filter(({ slot }) => slot < 0));" }],
    caught: { by: "test", file: "operate/new-start.test.ts" },
  },
  {
    id: "lets-a-restored-replica-stop-a-living-group",
    rule: "A start that has not seen a view yet gives way to a majority with lineage of an earlier one.",
    section: "New starts",
    edits: [{ file: "core/decide.ts", find: "return (unused ? starts.find(hasMajority) : undefined) ?? latest;", replace: "return (unused && starts.length === 0 ? starts.find(hasMajority) : undefined) ?? latest;" }],
    caught: { by: "test", file: "operate/starts.test.ts" },
  },
  {
    id: "takes-the-time-from-a-wall-after-a-restart",
    rule: "Cluster time comes from a wall clock once, at a group's very first entry.",
    section: "Time and chance",
    edits: [{ file: "apply/apply-entry.ts", find: "members === undefined ? Math.max(before, timeMs) : before;", replace: "members === undefined ? Math.max(before, timeMs) : Math.max(before, timeMs);" }],
    caught: byReplicaHistories,
  },
];
