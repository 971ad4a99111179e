/** Mistakes in ending a view, exchanging states, deciding the next view and taking its ballot. */
import { byCoreHistories, byReplicaHistories, byScenario, type Mutation } from "../mutation.js";

const exchange = "core/exchange.ts";
const decide = "core/decide.ts";
const install = "core/install.ts";

export const viewChange: readonly Mutation[] = [
  {
    id: "takes-a-ring-of-the-same-nodes-for-no-change",
    rule: "Every totem_confchg is a view change, even when the group's members are the same.",
    section: "View change",
    edits: [{
      file: exchange,
      find: "  if (state.ring !== undefined && !equalRings(state.ring, ring)) {\n",
      replace: `  if (state.view !== undefined && !state.ringPending && nodes.length === state.ringNodes.size && nodes.every((node) => state.ringNodes.has(node))) {
    state.ring = ring;
    return;
  }
  if (state.ring !== undefined && !equalRings(state.ring, ring)) {
`,
    }],
    caught: byCoreHistories,
  },
  {
    id: "takes-a-member-s-end-for-no-change",
    rule: "Every confchg of the group is a view change.",
    section: "View change",
    edits: [{
      file: exchange,
      find: "  suspend(state, \"the group's members change\");\n",
      replace: "  if (state.view !== undefined && change.joined.length === 0 && change.left.every(({ reason }) => reason !== \"nodedown\")) return;\n  suspend(state, \"the group's members change\");\n",
    }],
    caught: byScenario("k-tells-the-views-of-one-ring-apart"),
  },
  {
    id: "decides-without-the-others-states",
    rule: "The view is decided when the State of every member has been delivered.",
    section: "View change, 3",
    edits: [{ file: exchange, find: "  if (exchange.reports.size < exchange.members.length) return;\n", replace: "  if (!isSelf(state, sender)) return;\n" }],
    caught: byCoreHistories,
  },
  {
    id: "counts-states-of-other-exchanges",
    rule: "A State counts for the exchange that it names, and for no other.",
    section: "View change, 2",
    edits: [{ file: exchange, find: " || exchange.decided || exchange.key !== message.exchange) return;", replace: " || exchange.decided) return;" }],
    caught: byCoreHistories,
  },
  {
    id: "does-not-name-exchanges-by-who-joined-last",
    rule: "An exchange is named by the incarnation of the member that joined the ring last: pids come back.",
    section: "View change, 2",
    edits: [
      { file: exchange, find: "(state.newest.incarnation ?? \"unknown\")", replace: "\"\"" },
      { file: exchange, find: "  if (newest === undefined || newest.incarnation !== undefined) return undefined;\n", replace: "  if (newest === undefined || newest.pid >= 0) return undefined;\n" },
    ],
    caught: { ...byCoreHistories, otherwise: "pids-come-back-and-old-states-come-late" },
  },
  {
    id: "claims-all-that-it-received",
    rule: "A State claims what is verified; the log above claims nothing, but within the ring of its ballot.",
    section: "View change, 2",
    edits: [{ file: exchange, find: "  return state.tookBallot && isOfRing(state, state.ballot) && !state.holed ? state.log.end : state.verified;", replace: "  return state.log.end;" }],
    caught: byCoreHistories,
  },
  {
    id: "claims-only-what-is-verified-within-the-ring",
    rule: "Within the ring in which the log's ballot was taken, a State claims the end of the log.",
    section: "View change, 2",
    edits: [{ file: exchange, find: "  return state.tookBallot && isOfRing(state, state.ballot) && !state.holed ? state.log.end : state.verified;", replace: "  return state.verified;" }],
    caught: { by: "nothing", level: "core", why: "a decision without a member that may have committed follows an exclusion or a new ring, and States are sent again after it: by then the own acknowledgements have been delivered back, and between views they verify (verifies-nothing-between-views is the mistake that shows)" },
  },
  {
    id: "waits-for-ghosts",
    rule: "Members whose node is not in the ring are left out from the start.",
    section: "View change, 2",
    edits: [{ file: exchange, find: "    .filter((member) => state.ringNodes.has(member.nodeId))\n", replace: "    .filter((member) => state.ringNodes.size > 0 || member.nodeId > 0)\n" }],
    caught: byScenario("a-ghost-is-not-waited-for"),
  },
  {
    id: "lets-a-second-process-have-the-slot",
    rule: "A slot is a Corosync node id: of two processes of one node that speak one stops.",
    section: "Two processes on one node",
    edits: [{ file: decide, find: "    if (first === undefined || first[0] === address) continue;\n", replace: "    if (first === undefined || first[0].length > 0) continue;\n" }],
    caught: { ...byReplicaHistories, otherwise: "a-second-process-on-a-node-is-refused" },
  },
  {
    id: "lets-the-process-remain-that-knows-less",
    rule: "Of two processes of one node the one that knows most remains.",
    section: "Two processes on one node",
    edits: [{ file: decide, find: "  return Number(b.lineage) - Number(a.lineage) || compareBallots(b.ballot, a.ballot) ||", replace: "  return Number(a.lineage) - Number(b.lineage) || compareBallots(a.ballot, b.ballot) ||" }],
    caught: { ...byReplicaHistories, otherwise: "a-second-process-on-a-node-is-refused" },
  },
  {
    id: "takes-a-process-for-blank-whose-rival-is-silent",
    rule: "A slot with a silent process may know more than the other one says: it does not count among those that are all present.",
    section: "Two processes on one node",
    edits: [{ file: "core/quorum-policy.ts", find: " && !reports.some((report) => report.yields);", replace: ";" }],
    caught: { ...byReplicaHistories, otherwise: "a-blank-process-does-not-begin-anew-where-another-is-silent" },
  },
  {
    id: "counts-silence-anew-in-each-exchange",
    rule: "How long a member has been silent is counted across the exchanges of a ring.",
    section: "View change, a silent member",
    edits: [{ file: exchange, find: "  state.attempt = 0;\n", replace: "  state.owed.clear();\n  state.attempt = 0;\n" }],
    caught: { ...byReplicaHistories, otherwise: "processes-that-come-and-go-do-not-keep-a-silent-member-in" },
  },
  {
    id: "excludes-nobody",
    rule: "A member that stays silent is excluded after a while.",
    section: "View change, a silent member",
    edits: [{ file: exchange, find: "  if (silent.length === 0) return;\n", replace: "  if (silent.length > 0 || exchange.members.length > 0) return;\n" }],
    caught: byCoreHistories,
  },
  {
    id: "excludes-members-that-have-spoken",
    rule: "An Exclude does not apply to those whose State came before it.",
    section: "View change, a silent member",
    edits: [{ file: exchange, find: "message.silent.filter((member) => !exchange.reports.has(addressKey(member)))", replace: "message.silent" }],
    caught: byScenario("who-has-spoken-in-time-is-not-excluded"),
  },
  {
    id: "does-not-count-the-attempts-of-an-exchange",
    rule: "After an exclusion the rest exchange again, under the next attempt.",
    section: "View change, a silent member",
    edits: [{ file: exchange, find: "  state.attempt++;\n  suspend(state, \"a silent member is excluded\");", replace: "  suspend(state, \"a silent member is excluded\");" }],
    caught: byScenario("a-silent-member-is-excluded-and-comes-back"),
  },
  {
    id: "does-not-ask-back-when-it-was-excluded",
    rule: "An excluded member that wakes up asks to be taken back.",
    section: "View change, a silent member",
    edits: [{
      file: exchange,
      find: "it asks to be taken back\");\n  askRejoinLater(state);",
      replace: "it asks to be taken back\");",
    }],
    caught: byCoreHistories,
  },
  {
    id: "does-not-follow-the-others-when-it-was-excluded",
    rule: "An excluded member follows the others' exchanges, so that it counts attempts and k as they do.",
    section: "View change, a silent member",
    edits: [{ file: install, find: "  if (decision.kind !== \"primary\") return;\n  state.k", replace: "  if (decision.kind !== \"primary\" || state.nowMs >= 0) return;\n  state.k" }],
    caught: byScenario("an-excluded-member-counts-k-as-the-others-do"),
  },
  {
    id: "counts-k-by-itself",
    rule: "k is agreed: 1 + the highest that any State carries, not what this replica has counted.",
    section: "Vocabulary",
    edits: [{
      file: decide,
      find: "chooseBallot(state, state.ring, slots, reports);",
      replace: "chooseBallot(state, state.ring, slots, reports.map((report) => ({ ...report, k: state.k })));",
    }],
    caught: byCoreHistories,
  },
  {
    id: "orders-ballots-without-the-ring-sequence",
    rule: "Ballots are compared by the ring's sequence before anything that is counted within a ring.",
    section: "Vocabulary",
    edits: [{ file: "core/ballot.ts", find: "  if (a.ringSeq !== b.ringSeq) return a.ringSeq < b.ringSeq ? -1 : 1;\n", replace: "" }],
    caught: byCoreHistories,
  },
  {
    id: "chooses-a-ballot-below-a-promise",
    rule: "The ballot must exceed every promised ballot in the States, not only those of the logs.",
    section: "View change, 3",
    edits: [
      { file: decide, find: "[report.ballot, report.promised]", replace: "[report.ballot]" },
      { file: install, find: "  invariant(compareBallots(ballot, state.promised) > 0, `ballot ${formatBallot(ballot)} is above all that were promised`);\n", replace: "" },
    ],
    caught: byScenario("a-ballot-that-was-promised-is-not-gone-below"),
  },
  {
    id: "raises-the-era-without-everybody",
    rule: "If the ring's sequence went back, the era rises only with all slots present.",
    section: "View change, 3",
    edits: [{ file: decide, find: "  return config.policy.nobodyMissing(slots, reports) ? { ...ballot", replace: "  return slots.length > 0 ? { ...ballot" }],
    caught: byScenario("the-ring-sequence-went-back"),
  },
  {
    id: "overlooks-a-contradiction-within-a-longer-log",
    rule: "Verified prefixes of one ballot that are not prefixes of each other stop whoever sees it.",
    section: "View change, 3",
    edits: [{ file: decide, find: "if (own !== undefined && own !== hash) return", replace: "if (own !== undefined && own !== hash && position < 0) return" }],
    caught: { by: "test", file: "core/contradiction.test.ts" },
  },
  {
    id: "takes-the-longest-log-whatever-its-ballot",
    rule: "The target is the longest verified prefix of the highest ballot.",
    section: "View change, 3",
    edits: [{ file: decide, find: "    if (!equalBallots(report.ballot, ballot)) continue;\n", replace: "" }],
    caught: { ...byCoreHistories, otherwise: "the-only-holder-falls-asleep" },
  },
  {
    id: "cuts-committed-entries",
    rule: "The target is the longest of the verified prefixes; committed entries are never cut.",
    section: "View change, 4",
    edits: [
      { file: decide, find: "report.verified.position > point.position", replace: "report.verified.position < point.position" },
      { file: install, find: "  if (target.position < state.committed) return stop(state, wouldCutCommitted(state, target));\n", replace: "  if (target.position < state.committed) state.committed = target.position;\n" },
    ],
    caught: byCoreHistories,
  },
  {
    id: "trusts-the-blank-as-well",
    rule: "The target is chosen among members with lineage.",
    section: "View change, 3",
    edits: [{ file: decide, find: "chooseTarget(trusted)", replace: "chooseTarget(everyone ? reports : Array.from(reports))" }],
    caught: { by: "nothing", level: "core", why: "what a member without lineage claims is verified, and so true; it may be less than it acknowledged, and then one of those with lineage claims more" },
  },
  {
    id: "takes-the-ballot-before-it-has-the-target",
    rule: "A member that synchronises claims its old ballot and verified point until it holds the target.",
    section: "View change, 4",
    edits: [{ file: install, find: "  setPhase(state, \"synchronising\");\n", replace: "  state.ballot = ballot;\n  setPhase(state, \"synchronising\");\n" }],
    caught: byCoreHistories,
  },
  {
    id: "commits-earlier-entries-with-the-view",
    rule: "Entries of earlier ballots are committed when a quorum has acknowledged them in the new one.",
    section: "View change, 5",
    edits: [{
      file: install,
      find: "  state.verified = view.target.position;\n",
      replace: `  state.verified = view.target.position;
  state.committed = view.target.position;
  state.effects.push({ type: "committed", through: state.committed });
`,
    }],
    caught: byCoreHistories,
  },
  {
    id: "sends-nothing-again",
    rule: "Own batches that are not in the target log are sent again.",
    section: "View change, 6",
    edits: [{ file: install, find: "  for (const entry of state.pending) if (entry.position === undefined) sendBatch(state, entry.record);\n", replace: "" }],
    caught: byCoreHistories,
  },
  {
    id: "sends-again-what-is-in-the-target",
    rule: "Own batches that are in the target log are not sent again.",
    section: "View change, 6",
    edits: [{ file: install, find: "if (entry.position === undefined) sendBatch(state, entry.record);\n", replace: "sendBatch(state, entry.record);\n" }],
    caught: byCoreHistories,
  },
  {
    id: "keeps-its-lineage-when-it-lost-the-group",
    rule: "Who lost the group keeps its lineage only if it never acknowledged more than it verified.",
    section: "Losing and regaining the group",
    edits: [{ file: "core/state.ts", find: "previous.lineage && previous.acknowledged <= previous.verified", replace: "previous.lineage" }],
    caught: { ...byCoreHistories, otherwise: "a-lost-daemon-and-what-was-acknowledged" },
  },
  {
    id: "claims-a-state-that-is-wrong",
    rule: "A replica whose state differs claims nothing until it has taken the group's.",
    section: "Synchronising, digests",
    edits: [{ file: "core/step.ts", find: "  state.lineage = false;\n  state.replaceState = true;\n", replace: "" }],
    caught: byScenario("a-state-that-differs-is-replaced"),
  },
];
