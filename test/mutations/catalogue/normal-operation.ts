/** Mistakes in appending, verifying, acknowledging and committing. */
import { byCoreHistories, byScenario, type Mutation } from "../mutation.js";

const file = "core/replicate.ts";

export const normalOperation: readonly Mutation[] = [
  {
    id: "commits-when-its-own-message-comes-back",
    rule: "The committed position rises when a quorum has acknowledged it, not when the sender sees its own batch.",
    section: "Normal operation, 6",
    edits: [{
      file,
      find: "  appendEntry(state, view.ballot, message.record);\n  if (isAwaitedBy",
      replace: `  appendEntry(state, view.ballot, message.record);
  if (slot === state.config.slot && !state.holed) {
    state.verified = state.log.end;
    for (const member of view.members) recordAck(state, member.slot, state.log.end);
    advanceCommit(state);
  }
  if (isAwaitedBy`,
    }],
    caught: byCoreHistories,
  },
  {
    id: "applies-what-is-not-committed",
    rule: "Committed entries are applied, and no others.",
    section: "Normal operation, 7",
    edits: [
      {
        file,
        find: "  appendEntry(state, view.ballot, message.record);\n  if (isAwaitedBy",
        replace: "  appendEntry(state, view.ballot, message.record);\n  state.effects.push({ type: \"committed\", through: state.log.end });\n  if (isAwaitedBy",
      },
      { file: "core/step.ts", find: "  invariant(applied <= state.committed, \"nothing uncommitted is applied\");\n", replace: "" },
    ],
    caught: byCoreHistories,
  },
  {
    id: "appends-batches-of-other-ballots",
    rule: "A batch of another ballot than the view's is not an entry.",
    section: "Normal operation, 3",
    edits: [{
      file,
      find: "  if (!equalBallots(message.ballot, view.ballot)) return;\n  if (state.joining !== undefined) return hold(",
      replace: "  if (state.joining !== undefined) return hold(",
    }],
    caught: byCoreHistories,
  },
  {
    id: "counts-acknowledgements-of-an-old-view",
    rule: "What was acknowledged in an earlier view counts for nothing in this one.",
    section: "View change, 1",
    edits: [
      {
        file,
        find: "  if (!equalBallots(message.ballot, view.ballot)) return;\n  if (state.joining !== undefined) {",
        replace: "  if (state.joining !== undefined) {",
      },
      { file: "core/phase.ts", find: "  state.acks.clear();\n", replace: "" },
    ],
    caught: byCoreHistories,
  },
  {
    id: "goes-on-appending-behind-a-hole",
    rule: "A claim that does not match shows a hole: nothing more is appended or acknowledged until the next ballot.",
    section: "Normal operation, 4",
    edits: [{ file, find: "    state.holed = true;\n    return;", replace: "    return;" }],
    caught: byScenario("a-hole-in-the-middle"),
  },
  {
    id: "gives-up-what-it-holds-at-a-hole",
    rule: "A replica that sees a hole keeps ballot, log and verified prefix: what it verified stands.",
    section: "Normal operation, 4",
    edits: [{ file, find: "    state.holed = true;\n    return;", replace: "    state.holed = true;\n    state.lineage = false;\n    return;" }],
    caught: { ...byCoreHistories, otherwise: "a-hole-in-the-middle" },
  },
  {
    id: "stops-verifying-at-a-hole",
    rule: "A replica that sees a hole goes on raising its verified prefix by claims that match.",
    section: "Normal operation, 4",
    edits: [{ file, find: "  const { position, hash } = claim.point;\n", replace: "  if (state.holed) return;\n  const { position, hash } = claim.point;\n" }],
    caught: byCoreHistories,
  },
  {
    id: "takes-acknowledgements-without-comparing-hashes",
    rule: "A claim counts only with the own chain hash at its position.",
    section: "Normal operation, 6",
    edits: [{ file, find: "  if (state.log.hashAt(position) !== hash) {\n    // Either", replace: "  if (position > state.log.end) {\n    // Either" }],
    caught: byCoreHistories,
  },
  {
    id: "counts-itself-before-it-has-verified",
    rule: "What was only appended counts for nobody before a claim of it was delivered.",
    section: "Where this differs from the first design",
    edits: [
      { file, find: "Math.min(state.verified, durableEnd(state))", replace: "durableEnd(state)" },
      { file, find: "  invariant(position <= state.verified, \"what is committed was acknowledged with a matching hash, and so verified\");\n", replace: "  state.verified = Math.max(state.verified, position);\n" },
    ],
    caught: { by: "nothing", level: "core", why: "another slot's claim is in every quorum of more than one slot, and with the same hash it verifies as far as it counts; a slot that is alone has delivered what it appends" },
  },
  {
    id: "speaks-before-it-has-taken-the-ballot",
    rule: "A member that is not active sends no Batch and no Ack.",
    section: "Normal operation",
    edits: [{
      file,
      find: "  return state.phase === \"active\" && !state.holed;",
      replace: "  return (state.phase === \"active\" || state.phase === \"synchronising\") && !state.holed;",
    }],
    caught: byCoreHistories,
  },
  {
    id: "verifies-nothing-between-views",
    rule: "Claims of the ended view that are still delivered in the same ring do verify.",
    section: "View change, 1",
    edits: [{ file, find: "  if (state.ringPending || !isOfRing(state, ballot)", replace: "  if (state.ring !== undefined || !isOfRing(state, ballot)" }],
    caught: { ...byCoreHistories, otherwise: "a-join-that-the-cut-node-stepped-over" },
  },
  {
    id: "forgets-acknowledgements-while-it-synchronises",
    rule: "A member that synchronises holds the Acks that are delivered meanwhile, not only the Batches.",
    section: "Synchronising, 5",
    edits: [{ file, find: "    hold(state.joining, view.ballot, slot, { type: \"ack\"", replace: "    if (message.ack < 0) hold(state.joining, view.ballot, slot, { type: \"ack\"" }],
    caught: byScenario("a-member-that-was-away-catches-up-incrementally"),
  },
  {
    id: "forgets-batches-while-it-synchronises",
    rule: "A member that synchronises holds the Batches that are delivered meanwhile.",
    section: "Synchronising, 5",
    edits: [{ file, find: "  if (state.joining !== undefined) return hold(state.joining, view.ballot, slot, message, state);", replace: "  if (state.joining !== undefined) return;" }],
    caught: byCoreHistories,
  },
];
