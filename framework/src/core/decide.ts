/** The decision that ends a state exchange: the same for all who take part, because it looks only at what they all have. */
import { LockstepError, invariant } from "../errors.js";
import type { ReplicaIdentity } from "../log/entry.js";
import type { RingId } from "../transport/group-transport.js";
import { compareBallots, equalBallots, formatBallot, formatRing, highestBallot, isUnused, startOf, zeroBallot, type Ballot } from "./ballot.js";
import type { LogPoint } from "../log/log.js";
import type { QuorumReport, StateReport } from "./messages.js";
import { majorityOf, obstacles } from "./quorum-policy.js";
import { genesis, type CoreState, type Exchange } from "./state.js";
import { viewTime, type ViewTime } from "./view-time.js";

export type Decision =
  | {
    readonly kind: "primary";
    readonly ballot: Ballot;
    readonly members: readonly ReplicaIdentity[];
    readonly target: LogPoint;
    /** Ballot of the target log's end. */
    readonly targetBallot: Ballot;
    readonly holders: readonly number[];
    /** Slots whose promises count: those that remember, or all where it takes all of them. */
    readonly remembering: readonly number[];
    readonly quorum: QuorumReport | undefined;
    readonly loud: string | undefined;
    readonly time: ViewTime | undefined;
    readonly misfits: readonly Misfit[];
  }
  | { readonly kind: "minority"; readonly members: readonly ReplicaIdentity[]; readonly reason: string; readonly misfits: readonly Misfit[] }
  | { readonly kind: "contradiction"; readonly error: LockstepError };

/** A member that cannot be part of this group; it stops itself, and the others go on without it. */
export interface Misfit {
  readonly incarnation: string;
  readonly error: LockstepError;
}

export function decide(state: CoreState, exchange: Exchange): Decision {
  invariant(state.ring !== undefined, "an exchange has a ring");
  const all = Array.from(exchange.reports.values()).sort((a, b) => a.slot - b.slot);
  const late = findLateProcesses(exchange);
  const ofSlots = without(all, late);
  const strays = findStrays(ofSlots);
  const ofStart = without(ofSlots, strays);
  const { slots, policy } = referenceOf(ofStart);
  const misfits = [...late, ...strays, ...findMisfits(ofStart)];
  const reports = without(ofStart, misfits);
  const members = reports.map(({ slot, incarnation }) => ({ slot, incarnation }));
  // A misfit looks at the others' policy by name only: it will stop, whatever is decided.
  const judgement = policy === state.config.policy.name
    ? state.config.policy.judge(slots, reports)
    : { primary: false as const, reason: `the group's quorum policy is ${policy}` };
  const everyone = judgement.primary && judgement.trusted === "everyone";
  const trusted = everyone ? reports : reports.filter((report) => report.lineage);
  const contradiction = findContradiction(state, trusted);
  if (contradiction !== undefined) return { kind: "contradiction", error: contradiction };
  const target = chooseTarget(trusted);
  if (!judgement.primary) return { kind: "minority", members, reason: judgement.reason, misfits };

  const ballot = chooseBallot(state, state.ring, slots, reports);
  if (ballot === undefined) {
    const reason = `ring ${formatRing(state.ring)} is not above the ballots already used: Corosync's ring sequence went back (was its state directory wiped?). All ${slots.length} slots must be present to go on${obstacles(reports)}`;
    return { kind: "minority", members, reason, misfits };
  }
  const holders = reports
    .filter((report) => report.verified.position === target.point.position && report.verified.hash === target.point.hash)
    .map((report) => report.slot);
  return {
    kind: "primary", ballot, members, target: target.point, targetBallot: target.ballot, holders,
    remembering: trusted.map((report) => report.slot), quorum: reports[0]?.quorum, loud: judgement.loud, misfits,
    time: viewTime(trusted, target.ballot),
  };
}

/** Who the others must agree with: the member with the latest history; at a first start the lowest slot. */
function referenceOf(reports: readonly StateReport[]): StateReport {
  let best = reports[0];
  for (const report of reports) {
    if (best === undefined || (report.lineage && !best.lineage)) best = report;
    else if (report.lineage && compareBallots(report.ballot, best.ballot) > 0) best = report;
  }
  invariant(best !== undefined, "an exchange has at least one report");
  return best;
}

function without(reports: readonly StateReport[], misfits: readonly Misfit[]): StateReport[] {
  return reports.filter((report) => !misfits.some((misfit) => misfit.incarnation === report.incarnation));
}

/**
 * Of the processes of one node one remains: the one that knows most, which is the first, unless it was silent and a later
 * one has taken its place meanwhile; if none knows anything, the first.
 */
function findLateProcesses({ reports }: Exchange): Misfit[] {
  const late: Misfit[] = [];
  for (const [address, report] of reports) {
    const first = Array.from(reports).filter(([, { slot }]) => slot === report.slot).sort(([, a], [, b]) => compareSeniority(a, b))[0];
    if (first === undefined || first[0] === address) continue;
    const error = new LockstepError("SLOT_TAKEN", `node ${report.slot} runs another replica of this group (pid ${first[0].split("/")[1] ?? ""}), which was there before or has taken the place of this one: stop it first, or use another group name`);
    late.push({ incarnation: report.incarnation, error });
  }
  return late;
}

function compareSeniority(a: StateReport, b: StateReport): number {
  return Number(b.lineage) - Number(a.lineage) || compareBallots(b.ballot, a.ballot) || Number(a.yields) - Number(b.yields) || (a.incarnation < b.incarnation ? -1 : 1);
}

/** Members that are of another start of the group than the one that goes on (ballot.ts: newStart()). */
function findStrays(reports: readonly StateReport[]): Misfit[] {
  const start = startToFollow(reports);
  const strays: Misfit[] = [];
  for (const { slot, incarnation, ballot, promised } of reports) {
    const isLater = startOf(ballot) > start || startOf(promised) > start;
    if (!isLater && (startOf(ballot) === start || equalBallots(ballot, zeroBallot))) continue;
    const why = isLater
      ? "was restored or started anew by an operator, but the replicas that are here go on with the group's history from before that"
      : "is of the time before an operator restored the group, or started it anew from another replica";
    const error = new LockstepError("DIVERGED", `what this replica (slot ${slot}) holds ${why}. It keeps it on its disk, and stops. To take part with the others, it needs an empty directory`);
    strays.push({ incarnation, error });
  }
  return strays;
}

/** The latest; but not one that has seen no view yet, where a majority is there of an earlier one: nothing was answered in it. */
function startToFollow(reports: readonly StateReport[]): number {
  const withLog = reports.filter((report) => !equalBallots(report.ballot, zeroBallot));
  const starts = Array.from(new Set(withLog.map((report) => startOf(report.ballot)))).sort((a, b) => b - a);
  const [latest] = starts;
  if (latest === undefined) return Math.max(0, ...reports.map((report) => startOf(report.promised)));
  const ofStart = (start: number): StateReport[] => withLog.filter((report) => startOf(report.ballot) === start);
  const hasMajority = (start: number): boolean => {
    const knowing = ofStart(start).filter((report) => report.lineage);
    return knowing.length > 0 && knowing.length >= majorityOf(knowing[0]?.slots.length ?? 0);
  };
  const unused = ofStart(latest).every((report) => isUnused(report.ballot));
  return (unused ? starts.find(hasMajority) : undefined) ?? latest;
}

function findMisfits(reports: readonly StateReport[]): Misfit[] {
  const reference = referenceOf(reports);
  const misfits: Misfit[] = [];
  for (const report of reports) {
    const differences = [
      report.machine === reference.machine ? "" : `machine "${report.machine}" instead of "${reference.machine}"`,
      report.version === reference.version ? "" : `machine version ${report.version} instead of ${reference.version}`,
      report.policy === reference.policy ? "" : `quorum policy ${report.policy} instead of ${reference.policy}`,
      report.durability === reference.durability ? "" : `durability ${report.durability} instead of ${reference.durability}`,
      report.slots.join() === reference.slots.join() ? "" : `slots ${report.slots.join(",")} instead of ${reference.slots.join(",")}`,
      reference.slots.includes(report.slot) ? "" : `slot ${report.slot} is not one of ${reference.slots.join(",")}`,
    ].filter((difference) => difference !== "");
    if (differences.length === 0) continue;
    const error = new LockstepError("MACHINE_MISMATCH", `this replica (slot ${report.slot}) does not fit its group: ${differences.join("; ")}`);
    misfits.push({ incarnation: report.incarnation, error });
  }
  return misfits;
}

/**
 * All verified prefixes of one ballot are prefixes of each other. Where two end at the same position, every member sees it if they are not;
 * where one ends within the other, those who hold the longer one do, and stop: no decision that they are needed for comes about.
 */
function findContradiction({ config, log, verified, ballot }: CoreState, knowing: readonly StateReport[]): LockstepError | undefined {
  const seen = new Map<string, StateReport>();
  for (const report of knowing) {
    const { position, hash } = report.verified;
    const key = `${formatBallot(report.ballot)} ${position}`;
    const other = seen.get(key);
    if (other !== undefined && other.verified.hash !== hash) return contradiction(other.slot, report);
    seen.set(key, report);
    const own = position <= verified && equalBallots(report.ballot, ballot) ? log.hashAt(position) : undefined;
    if (own !== undefined && own !== hash) return contradiction(config.slot, report);
  }
  return undefined;
}

function contradiction(slot: number, { slot: other, verified, ballot }: StateReport): LockstepError {
  return new LockstepError("DIVERGED", `slots ${slot} and ${other} verified different logs at position ${verified.position} of ballot ${formatBallot(ballot)}`);
}

/** The longest verified prefix of the highest ballot. */
function chooseTarget(knowing: readonly StateReport[]): { point: LogPoint; ballot: Ballot } {
  const ballot = highestBallot(knowing.map((report) => report.ballot));
  let point = genesis;
  let found = false;
  for (const report of knowing) {
    if (!equalBallots(report.ballot, ballot)) continue;
    if (!found || report.verified.position > point.position) point = report.verified;
    found = true;
  }
  return { point, ballot: found ? ballot : zeroBallot };
}

/** undefined: the ring sequence went back, and not everyone who could know of higher ballots is here. */
function chooseBallot({ config, attempt }: CoreState, ring: RingId, slots: readonly number[], reports: readonly StateReport[]): Ballot | undefined {
  const floor = highestBallot(reports.flatMap((report) => [report.ballot, report.promised]));
  const k = 1 + reports.reduce((highest, report) => Math.max(highest, report.k), 0);
  const ballot: Ballot = { era: floor.era, ringSeq: ring.seq, ringNode: ring.nodeId, k, attempt };
  if (compareBallots(ballot, floor) > 0) return ballot;
  return config.policy.nobodyMissing(slots, reports) ? { ...ballot, era: floor.era + 1 } : undefined;
}
