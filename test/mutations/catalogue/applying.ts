/** Mistakes in applying entries, in time, and in what clients are told. */
import { byReplicaHistories, type Mutation } from "../mutation.js";

export const applying: readonly Mutation[] = [
  {
    id: "applies-second-copies",
    rule: "An entry whose n is not above the last applied n of its incarnation is a second copy: it takes its position, and nothing else happens.",
    section: "Normal operation, 7",
    edits: [{ file: "apply/apply-entry.ts", find: "if (n <= (this.#base.lastApplied.get(origin.incarnation)?.n ?? 0)) return this.#skip();", replace: "if (n < 0) return this.#skip();" }],
    caught: { by: "nothing", level: "replica", why: "an entry is sent again only under a new ballot whose target does not hold it, and under the old ballots it is no entry any more: a second copy takes another mistake, as in the next one" },
  },
  {
    id: "sends-again-and-applies-second-copies",
    rule: "The same, where what is in the target log is sent again: second copies do come.",
    section: "Normal operation, 7",
    edits: [
      { file: "apply/apply-entry.ts", find: "if (n <= (this.#base.lastApplied.get(origin.incarnation)?.n ?? 0)) return this.#skip();", replace: "if (n < 0) return this.#skip();" },
      { file: "core/install.ts", find: "if (entry.position === undefined) sendBatch(state, entry.record);\n", replace: "sendBatch(state, entry.record);\n" },
    ],
    caught: byReplicaHistories,
  },
  {
    id: "reads-without-a-barrier",
    rule: "A linearizable read waits for an entry that was multicast after it began.",
    section: "Reads",
    edits: [{ file: "requests.ts", find: "if (options.consistency === \"linearizable\") await this.#confirm(options);", replace: "if (options.consistency === \"linearizable\" && args.length < 0) await this.#confirm(options);" }],
    caught: byReplicaHistories,
  },
  {
    id: "reads-when-any-entry-is-applied",
    rule: "The same: an entry that was multicast before the read began is not enough.",
    section: "Reads",
    edits: [{
      file: "submit/submissions.ts",
      find: "    for (const barrier of batch.barriers) {\n      if (barrier.ended) continue;\n      finish(barrier);\n      barrier.resolve();",
      replace: "    for (const barrier of [...batch.barriers, ...this.#barriers, ...Array.from(this.#sent.values()).flatMap(({ barriers }) => barriers)]) {\n      if (barrier.ended) continue;\n      finish(barrier);\n      barrier.resolve();",
    }],
    caught: { by: "test", file: "submit/submissions.test.ts" },
  },
  {
    id: "forgets-answered-requests",
    rule: "With a request id, a retry through any replica returns the first result.",
    section: "Outcomes",
    edits: [{ file: "apply/apply-entry.ts", find: "const answer = this.#answers.find(requestId);", replace: "const answer = requestId === \"\" ? this.#answers.find(requestId) : undefined;" }],
    caught: byReplicaHistories,
  },
  {
    id: "refuses-the-retry-of-a-request",
    rule: "The same: the retry gets the first result, and not an error.",
    section: "Outcomes",
    edits: [{ file: "apply/apply-entry.ts", find: "if (answer !== undefined && answer.command === name) return", replace: "if (answer !== undefined && answer.command === name && requestId === \"\") return" }],
    caught: byReplicaHistories,
  },
  {
    id: "fires-timers-by-the-local-clock",
    rule: "Timers fire at the first entry whose own time reaches them, not when the local clock does.",
    section: "Time and chance",
    edits: [{ file: "apply/backlog.ts", find: "const entry = this.#decode(logged.record);", replace: "const entry = { ...this.#decode(logged.record), timeMs: this.#parts.monotonicMs() };" }],
    caught: byReplicaHistories,
  },
  {
    id: "sets-its-clock-back-to-the-last-entry",
    rule: "Each replica keeps the largest difference between an entry's time and its own clock, or time runs slow under load.",
    section: "Time and chance",
    edits: [{ file: "apply/cluster-clock.ts", find: "    if (this.#offset === undefined || offset > this.#offset) this.#offset = offset;", replace: "    this.#offset = offset;" }],
    caught: { by: "test", file: "apply/cluster-clock.test.ts" },
  },
  {
    id: "says-certainly-not-of-what-was-sent",
    rule: "What was sent and not answered ends as unknown, not as certainly without effect.",
    section: "Outcomes",
    edits: [{ file: "submit/submissions.ts", find: "    } else {\n      end(waiter, new LockstepError(\"UNKNOWN_OUTCOME\",", replace: "    } else {\n      end(waiter, new LockstepError(\"TIMED_OUT\"," }],
    caught: byReplicaHistories,
  },
];
