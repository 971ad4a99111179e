/** Mistakes in giving and taking logs and snapshots, and in what is kept with them. */
import { byCoreHistories, byReplicaHistories, byScenario, type Mutation } from "../mutation.js";

const install = "core/install.ts";

export const synchronising: readonly Mutation[] = [
  {
    id: "takes-a-transfer-wherever-it-leads",
    rule: "A transfer is taken when it ends where it must, and thrown away otherwise.",
    section: "Synchronising, 6",
    edits: [{ file: install, find: "  if (!transferFits(state, view, joining, transfer)) return", replace: "  if (!transferFits(state, view, joining, transfer) && transfer.from.position < 0) return" }],
    caught: byCoreHistories,
  },
  {
    id: "a-donor-with-a-hole-gives-what-it-has",
    rule: "A donor that has a hole, or less than is asked for, stays silent.",
    section: "Synchronising, 2",
    edits: [{ file: install, find: "  if (state.holed || reach > state.log.end) return;\n", replace: "" }],
    caught: { ...byCoreHistories, otherwise: "a-donor-that-has-stepped-over-entries-stays-silent" },
  },
  {
    id: "goes-on-from-a-point-that-does-not-agree",
    rule: "Entries follow a position at which the hashes of both logs agree; else a snapshot does.",
    section: "Synchronising, 3",
    edits: [{ file: "sync/donation.ts", find: "if (log.hashAt(from.position) === from.hash) return", replace: "if (log.hashAt(from.position) !== undefined) return" }],
    caught: byCoreHistories,
  },
  {
    id: "gives-a-snapshot-from-before-what-the-member-has-committed",
    rule: "The smaller of entries and a snapshot is given; a snapshot only of a position beyond those that the member has.",
    section: "Synchronising, 3",
    edits: [{ file: "sync/donation.ts", find: " || snapshot.position <= from.position", replace: "" }],
    caught: byCoreHistories,
  },
  {
    id: "gives-what-is-on-disk-and-another-log",
    rule: "Entries are given from disk if the log there leads from the member's position to where the log in memory begins.",
    section: "Synchronising, 3",
    edits: [{ file: "log/log-store.ts", find: "    if (this.#pointAt(from.position).hash !== from.hash || this.#pointAt(to.position).hash !== to.hash) return undefined;\n", replace: "" }],
    caught: { by: "test", file: "log/log-store.test.ts" },
  },
  {
    id: "exchanges-states-while-a-transfer-is-awaited",
    rule: "While too few are active for a commit, a transfer that goes on is not begun anew.",
    section: "Normal operation",
    edits: [{ file: "core/watch.ts", find: "&& !enoughAreActive(state)) state.lastCommitMs", replace: "&& !enoughAreActive(state) && state.nowMs < 0) state.lastCommitMs" }],
    caught: byScenario("commits-that-wait-for-a-long-transfer"),
  },
  {
    id: "asks-the-same-donor-for-ever",
    rule: "If a donor gives nothing, the next one is asked.",
    section: "Synchronising, 4",
    edits: [{ file: install, find: "donors[(rank + message.turn) % donors.length]", replace: "donors[rank % donors.length]" }],
    caught: byScenario("a-donor-that-stalls-is-replaced"),
  },
  {
    id: "sends-again-what-a-snapshot-may-hold",
    rule: "Own pending batches that a snapshot may hold have lost their result, and are not sent again.",
    section: "Synchronising",
    edits: [
      { file: install, find: "  state.pending = state.pending.filter((entry) => entry.record.n > lastAppliedN);\n", replace: "" },
      { file: install, find: "  if (lost.length > 0) state.effects", replace: "  if (lost.length > state.pending.length) state.effects" },
    ],
    caught: byCoreHistories,
  },
  {
    id: "a-donor-sends-the-state-of-another-position",
    rule: "A snapshot is of the state at the position that it names.",
    section: "Synchronising, 3",
    edits: [{ file: "apply/applier.ts", find: "sliceSnapshot(this.#machine, captured, sliceBytes)", replace: "sliceSnapshot(this.#machine, { ...this.#replicated, position: captured.position }, sliceBytes)" }],
    caught: byReplicaHistories,
  },
  {
    id: "leaves-the-answered-requests-out-of-snapshots",
    rule: "The answers by request id are part of every snapshot.",
    section: "Outcomes",
    edits: [{ file: "apply/replicated-codec.ts", find: "timers: { waiting: timers, count: timerCount }, answers, answerCount, operations };", replace: "timers: { waiting: timers, count: timerCount }, answers: new Table(), answerCount, operations };" }],
    caught: byReplicaHistories,
  },
  {
    id: "leaves-the-applied-numbers-out-of-snapshots",
    rule: "The last applied n of each incarnation is part of every snapshot.",
    section: "Normal operation, 7",
    edits: [{ file: "apply/replicated-codec.ts", find: "new Map<string, LastApplied>(value.lastApplied.map(", replace: "new Map<string, LastApplied>(value.lastApplied.slice(0, 0).map(" }],
    caught: byReplicaHistories,
  },
  {
    id: "comes-back-as-the-same-incarnation",
    rule: "A replica that comes back to a group that it lost is a new incarnation.",
    section: "Losing and regaining the group",
    edits: [{ file: "group-connection.ts", find: "const incarnation = parts.newIncarnation();", replace: "const incarnation = this.#lastCore?.config.incarnation ?? parts.newIncarnation();" }],
    caught: byReplicaHistories,
  },
];
