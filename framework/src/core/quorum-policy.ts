/** Who may decide: the two quorum policies. Pure functions of agreed data. */
import { compareBallots, equalBallots, highestBallot, zeroBallot } from "./ballot.js";
import type { QuorumReport, StateReport } from "./messages.js";

export type Judgement =
  /**
   * `trusted`: whose logs the view may start from. Those with lineage hold all that was committed, where they are enough
   * to be sure of it; where all slots are present instead, whatever anybody remembers counts.
   * `loud` is something an operator should read.
   */
  | { readonly primary: true; readonly trusted: "lineage" | "everyone"; readonly loud: string | undefined }
  | { readonly primary: false; readonly reason: string };

export interface CommitQuestion {
  readonly slots: readonly number[];
  /** Acknowledged position by slot. */
  readonly acks: ReadonlyMap<number, number>;
  /** Slots that hold the view's target, whether or not they have acknowledged anything yet. */
  readonly holders: readonly number[];
  readonly quorum: QuorumReport | undefined;
}

export interface PromiseQuestion {
  readonly slots: readonly number[];
  /** Slots whose promises count. */
  readonly remembering: readonly number[];
  readonly promised: ReadonlySet<number>;
}

export interface QuorumPolicy {
  readonly name: string;
  /** States carry votequorum's news, and wait for the news of their ring. */
  readonly needsVotes: boolean;
  /** A member that learns that the group has gone on without it loses its lineage until it holds the target. */
  readonly outdates: boolean;
  /** Is a view of these members primary? */
  judge(slots: readonly number[], reports: readonly StateReport[]): Judgement;
  /** Everyone is there, and too few have lost what they had for a quorum to be among them: nobody who could know more is missing. */
  nobodyMissing(slots: readonly number[], reports: readonly StateReport[]): boolean;
  /** How many other members' answers to a batch its sender waits for. */
  promptAnswers(slots: number): number | "all";
  /** With a durable log: may a ballot be taken that these have promised? Any later view must have one of them who remembers. */
  promised(question: PromiseQuestion): boolean;
  /** The highest position that is committed by these acknowledgements; 0 if none is. */
  committed(question: CommitQuestion): number;
}

/** More than half of the slots. */
export function majorityOf(slots: number): number {
  return Math.floor(slots / 2) + 1;
}

/** Every slot is there, and no other process of one, which could know more, is silent. */
function everyoneSpeaks(slots: readonly number[], reports: readonly StateReport[]): boolean {
  return reports.length === slots.length && !reports.some((report) => report.yields);
}

/** Slots without a log that others know to have had one. */
function forgotten(reports: readonly StateReport[]): number[] {
  const blank = reports.filter((report) => !report.lineage && compareBallots(report.ballot, zeroBallot) === 0).map((report) => report.slot);
  return blank.filter((slot) => reports.some((report) => report.known.includes(slot)));
}

/** For a reason: what is in the way of nobodyMissing(), should all be there. */
export function obstacles(reports: readonly StateReport[]): string {
  const yielding = reports.filter((report) => report.yields).map((report) => report.slot);
  const rivals = yielding.length === 0 ? "" : `. Another process of nodes ${yielding.join(", ")} is listed and silent: let it go on, or end it; if it is dead, restart Corosync there`;
  const lost = forgotten(reports);
  return lost.length === 0 ? rivals : `${rivals}. Slots ${lost.join(", ")} have lost what they had on disk: bring it back`;
}

function remembered(reports: readonly StateReport[]): boolean {
  return reports.some((report) => report.lineage || compareBallots(report.ballot, zeroBallot) > 0);
}

/** For a reason, where none of those present remembers anything: of a group that begins not even a quorum does. */
function orFirstStart(slots: readonly number[], reports: readonly StateReport[]): string {
  return remembered(reports) || reports.length === slots.length ? "" : `, or at a first start all ${slots.length} slots`;
}

function allPresent(slots: readonly number[], reports: readonly StateReport[]): Judgement {
  const forgetful = reports.filter((report) => !report.lineage).map((report) => report.slot);
  const loud = remembered(reports)
    ? `every slot is present, so nobody who could know more is missing; not sure to hold all that they acknowledged: ${forgetful.join(", ")}`
    : `first start: all ${slots.length} slots are present and blank`;
  return { primary: true, trusted: "everyone", loud };
}

/** A view is primary if members with lineage fill more than half of the slots. */
export const majorityPolicy: QuorumPolicy = {
  name: "majority",
  needsVotes: false,
  outdates: false,

  judge(slots, reports) {
    const knowing = reports.filter((report) => report.lineage).length;
    const needed = majorityOf(slots.length);
    if (knowing >= needed) return { primary: true, trusted: "lineage", loud: undefined };
    if (this.nobodyMissing(slots, reports)) return allPresent(slots, reports);
    const blank = reports.length - knowing;
    return { primary: false, reason: `${knowing} of ${slots.length} slots are present with the group's state${blank > 0 ? ` (and ${blank} blank)` : ""}; ${needed} are needed${orFirstStart(slots, reports)}${obstacles(reports)}` };
  },

  nobodyMissing: (slots, reports) => everyoneSpeaks(slots, reports) && forgotten(reports).length < majorityOf(slots.length),

  // Alone, the own acknowledgement is what verifies the log.
  promptAnswers: (slots) => (slots === 1 ? "all" : majorityOf(slots) - 1),

  promised({ slots, remembering, promised }) {
    return remembering.filter((slot) => promised.has(slot)).length >= majorityOf(slots.length);
  },

  committed({ slots, acks }) {
    const needed = majorityOf(slots.length);
    if (acks.size < needed) return 0;
    const positions = Array.from(acks.values()).sort((a, b) => b - a);
    return positions[needed - 1] ?? 0;
  },
};

/** votequorum cannot be read: nothing is decided by this. */
export const votesUnknown: QuorumReport = { quorate: false, votes: [], deviceVotes: 0, quorum: 0, twoNode: false, shrinks: false };

/** Without votes a report says nothing about quorum, whatever else is in it. */
function tellsVotes(report: QuorumReport | undefined): report is QuorumReport {
  return report !== undefined && report.votes.length > 0 && report.quorum > 0;
}

/** With the device's. */
function votesOf(report: QuorumReport, slots: Iterable<number>): number {
  return report.deviceVotes + votesOfNodes(report, slots);
}

function votesOfNodes(report: QuorumReport, slots: Iterable<number>): number {
  const wanted = new Set(slots);
  let sum = 0;
  for (const [slot, votes] of report.votes) if (wanted.has(slot)) sum += votes;
  return sum;
}

/**
 * One of these knows that nobody else can have been quorate since it had all that was committed (continuity.ts); or all are here who
 * counted in the latest view that they know; or so many votes are their nodes' own that whoever was quorate meanwhile, with the device, had one of
 * them. Where the quorum shrinks there is no such number.
 */
function rememberAll(report: QuorumReport, knowing: readonly StateReport[]): boolean {
  if (knowing.some(({ unbroken }) => unbroken) || companionsAreHere(knowing)) return true;
  const needed = report.twoNode ? 2 : report.quorum;
  return !report.shrinks && votesOfNodes(report, knowing.map(({ slot }) => slot)) >= needed;
}

/** All who counted in the latest view of these are here. Not if none of them knows who that was. */
function companionsAreHere(knowing: readonly StateReport[]): boolean {
  const latest = highestBallot(knowing.map(({ ballot }) => ballot));
  const companions = knowing.filter(({ ballot }) => equalBallots(ballot, latest)).flatMap((report) => report.companions);
  return companions.length > 0 && companions.every((slot) => knowing.some((report) => report.slot === slot));
}

/** As the first one has it; that it shrinks counts whoever knows it. */
function reportedBy(reports: readonly StateReport[]): QuorumReport | undefined {
  const quorum = reports[0]?.quorum;
  return quorum === undefined ? undefined : { ...quorum, shrinks: reports.some((report) => report.quorum?.shrinks === true) };
}

/** Certainly, now and before: a slot whose votes are not known could be the one that makes it up. */
function lackQuorum(report: QuorumReport | undefined, slots: readonly number[]): boolean {
  if (!tellsVotes(report) || report.shrinks) return false;
  const known = new Set(report.votes.map(([slot]) => slot));
  return slots.every((slot) => known.has(slot)) && votesOf(report, slots) < report.quorum;
}

/**
 * votequorum decides: two-node clusters, quorum devices, wait_for_all. The votes of the members with lineage must be
 * quorate for a view, those of the active members for every commit, which needs the acknowledgement of all of them.
 */
export function corosyncPolicy(options: { readonly twoNodeIsFenced: boolean }): QuorumPolicy {
  return {
    name: "corosync",
    needsVotes: true,
    outdates: true,

    judge(slots, reports) {
      const silent = reports.filter((report) => report.quorum === undefined).map((report) => report.slot);
      if (silent.length > 0) return { primary: false, reason: `votequorum has not spoken about this ring on nodes ${silent.join(", ")}` };
      const unread = reports.filter((report) => !tellsVotes(report.quorum)).map((report) => report.slot);
      if (unread.length > 0) return { primary: false, reason: `votequorum's votes cannot be read on nodes ${unread.join(", ")}` };
      const quorum = reportedBy(reports);
      if (quorum === undefined || reports.some((report) => report.quorum?.quorate !== true)) return { primary: false, reason: "votequorum: not quorate" };
      if (quorum.twoNode && !options.twoNodeIsFenced) {
        return { primary: false, reason: "quorum.two_node is set: both nodes go on when they are cut apart, unless one is fenced. Say twoNode: \"fenced\" in the quorum option if it is, or add a quorum device" };
      }
      const knowing = reports.filter((report) => report.lineage);
      const votes = votesOf(quorum, knowing.map((report) => report.slot));
      const enough = knowing.length > 0 && votes >= quorum.quorum;
      if (enough && rememberAll(quorum, knowing)) return { primary: true, trusted: "lineage", loud: undefined };
      if (this.nobodyMissing(slots, reports)) return allPresent(slots, reports);
      const doubt = quorum.shrinks ? "quorate, but fewer votes are enough than before, or can be (last_man_standing, allow_downscale, corosync-quorumtool -e)" : "quorate, but not by the votes of nodes alone";
      if (enough) return { primary: false, reason: `${doubt}, and the members with the group's state were stopped or without quorum meanwhile: others may have gone on. Start the others${obstacles(reports)}` };
      return { primary: false, reason: `quorate, but the members with the group's state have ${votes} votes of the ${quorum.quorum} needed${orFirstStart(slots, reports)}${obstacles(reports)}` };
    },

    nobodyMissing(slots, reports) {
      const quorum = reportedBy(reports);
      const lost = forgotten(reports);
      return everyoneSpeaks(slots, reports) && (lost.length === 0 || lackQuorum(quorum, lost));
    },

    promptAnswers: () => "all",

    // By votes, two quorums need not share a member.
    promised: ({ remembering, promised }) => remembering.every((slot) => promised.has(slot)),

    committed({ acks, holders, quorum }) {
      if (!tellsVotes(quorum) || !quorum.quorate || votesOf(quorum, acks.keys()) < quorum.quorum) return 0;
      let lowest = Number.POSITIVE_INFINITY;
      for (const slot of holders) lowest = Math.min(lowest, acks.get(slot) ?? 0);
      for (const ack of acks.values()) lowest = Math.min(lowest, ack);
      return Number.isFinite(lowest) ? lowest : 0;
    },
  };
}
