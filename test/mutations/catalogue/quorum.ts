/** Mistakes in who may decide and what is committed. */
import { byCoreHistories, byScenario, type Mutation } from "../mutation.js";

const file = "core/quorum-policy.ts";

export const quorum: readonly Mutation[] = [
  {
    id: "takes-half-of-the-slots-for-a-majority",
    rule: "A quorum is more than half of the slots.",
    section: "Quorum policies, majority",
    edits: [{ file, find: "  return Math.floor(slots / 2) + 1;", replace: "  return Math.max(1, Math.floor(slots / 2));" }],
    caught: byCoreHistories,
  },
  {
    id: "commits-with-one-acknowledgement-too-few",
    rule: "Committed is what more than half of the slots have acknowledged.",
    section: "Quorum policies, majority",
    edits: [{
      file,
      find: "  committed({ slots, acks }) {\n    const needed = majorityOf(slots.length);",
      replace: "  committed({ slots, acks }) {\n    const needed = Math.max(1, majorityOf(slots.length) - 1);",
    }],
    caught: byCoreHistories,
  },
  {
    id: "counts-members-that-restarted-blank",
    rule: "A view is primary if members with lineage fill more than half of the slots: the blank never outvote one that is missing.",
    section: "Quorum policies, majority",
    edits: [{ file, find: "    const knowing = reports.filter((report) => report.lineage).length;", replace: "    const knowing = reports.length;" }],
    caught: byCoreHistories,
  },
  {
    id: "does-not-go-on-when-all-are-there",
    rule: "When all slots are present, the view is primary with whatever anybody remembers.",
    section: "Quorum policies, majority",
    edits: [{ file, find: "    if (this.nobodyMissing(slots, reports)) return allPresent(slots, reports);\n    const blank", replace: "    const blank" }],
    caught: byCoreHistories,
  },
  {
    id: "with-all-there-trusts-only-those-with-lineage",
    rule: "When only the presence of all slots makes the view primary, what members without lineage remember counts as well.",
    section: "View change, 3",
    edits: [{ file, find: "  return { primary: true, trusted: \"everyone\", loud };", replace: "  return { primary: true, trusted: \"lineage\", loud };" }],
    caught: byCoreHistories,
  },
  {
    id: "counts-the-votes-of-the-blank",
    rule: "Under policy corosync, the votes of the members with lineage must reach the quorum.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "const knowing = reports.filter((report) => report.lineage);", replace: "const knowing = reports;" }],
    caught: byCoreHistories,
  },
  {
    id: "commits-without-the-votes-of-the-active",
    rule: "Under policy corosync, the votes of the active members must reach the quorum at every commit.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "!quorum.quorate || votesOf(quorum, acks.keys()) < quorum.quorum", replace: "!quorum.quorate" }],
    caught: byScenario("corosync-policy-a-commit-needs-all-active-members"),
  },
  {
    id: "commits-without-all-holders",
    rule: "Under policy corosync, committed is what all holders of the target have acknowledged.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "      for (const slot of holders) lowest = Math.min(lowest, acks.get(slot) ?? 0);\n", replace: "      if (holders.length === 0) return 0;\n" }],
    caught: byScenario("corosync-policy-a-commit-needs-all-active-members"),
  },
  {
    id: "commits-without-those-who-became-active",
    rule: "Under policy corosync, committed is what all active members have acknowledged, those that synchronised included.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "      for (const ack of acks.values()) lowest = Math.min(lowest, ack);\n", replace: "" }],
    caught: byScenario("corosync-policy-a-commit-needs-all-active-members"),
  },
  {
    id: "keeps-the-lineage-of-the-outdated",
    rule: "Under policy corosync, a member that learns that the group went on without it has no lineage until it holds the target.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "    outdates: true,", replace: "    outdates: false," }],
    caught: byScenario("corosync-policy-outdated-before-it-has-caught-up"),
  },
  {
    id: "takes-news-of-another-ring-s-votes",
    rule: "Quorum news counts for the ring that it is about.",
    section: "Quorum policies, corosync",
    edits: [{ file: "core/state.ts", find: " && equalRings(quorumNews.ring, ring) ? quorumNews.report", replace: " ? quorumNews.report" }],
    caught: byScenario("corosync-policy-waits-for-votequorum"),
  },
  {
    id: "goes-on-with-two-nodes-and-no-fencing",
    rule: "With two_node no view is primary unless the application says that the other node is fenced.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "quorum.twoNode && !options.twoNodeIsFenced", replace: "quorum.twoNode && reports.length === 0" }],
    caught: byScenario("corosync-policy-two-node"),
  },
  {
    id: "counts-a-device-s-vote-whatever-was-meanwhile",
    rule: "A vote that remembers nothing decides only for members that know that nobody else can have had it.",
    section: "Quorum policies, corosync",
    edits: [{ file, find: "if (enough && rememberAll(quorum, knowing))", replace: "if (enough)" }],
    caught: byCoreHistories,
  },
  {
    id: "does-not-notice-that-quorum-was-lost",
    rule: "A member whose partition was without quorum does not know that nobody else had it.",
    section: "Quorum policies, corosync",
    edits: [{ file: "core/exchange.ts", find: "  if (!report.quorate) loseQuorum(state, ring);\n", replace: "  if (!report.quorate && report.quorum < 0) loseQuorum(state, ring);\n" }],
    caught: byCoreHistories,
  },
  {
    id: "counts-before-the-others-have-heard-it",
    rule: "Who took over what it lacked counts from the delivery of its first acknowledgement on: before that the others commit without it.",
    section: "Quorum policies, corosync",
    edits: [{ file: "core/install.ts", find: "  else countsNoMore(state);", replace: "  else countsFromHere(state);" }],
    caught: byScenario("corosync-policy-a-member-counts-once-it-is-heard"),
  },
  {
    id: "forgets-a-loss-of-quorum-that-came-before-its-ring",
    rule: "That quorum was lost in a ring counts also if votequorum's news of it came before the group's.",
    section: "Quorum policies, corosync",
    edits: [{ file: "core/continuity.ts", find: "  return lost.seq > ring.seq || ", replace: "  return lost.seq === ring.seq && " }],
    caught: byScenario("corosync-policy-quorum-was-lost-before-the-ring-is-known"),
  },
];
