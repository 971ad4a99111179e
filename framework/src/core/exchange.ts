/**
 * The state exchange: what every configuration change starts, and what ends in one decision, equal everywhere.
 *
 * The steps are docs/protocol.md, "View change". Nothing of the old view is sent, appended or counted from suspend() on.
 */
import { invariant } from "../errors.js";
import type { ConfigurationChange, MemberAddress, RingId } from "../transport/group-transport.js";
import { equalRings, zeroBallot } from "./ballot.js";
import { isUnbroken, loseQuorum, nodesChange, quorumToTell } from "./continuity.js";
import { decide } from "./decide.js";
import { install, observe } from "./install.js";
import type { LogPoint } from "../log/log.js";
import type { ExcludeMessage, QuorumReport, RejoinMessage, StateMessage, StateReport } from "./messages.js";
import { setPhase, suspend } from "./phase.js";
import { isOfRing } from "./replicate.js";
import { answered, ask, forgive } from "./silence.js";
import { addressKey, genesis, quorumOfRing, type CoreState } from "./state.js";

export function configurationChanged(state: CoreState, change: ConfigurationChange): void {
  state.group = change.members;
  recogniseSelf(state, change);
  for (const member of change.left) forgive(state, member);
  suspend(state, "the group's members change");
  // The first configuration of this process, whatever its reason, is that it joined.
  const joined = change.joined.find((member) => member.reason === "join" || isSelf(state, member));
  if (joined !== undefined) state.newest = { nodeId: joined.nodeId, pid: joined.pid, incarnation: isSelf(state, joined) ? state.config.incarnation : undefined };
  const nodesChange = [...change.left, ...change.joined].some(({ reason }) => reason === "nodedown" || reason === "nodeup");
  if (nodesChange) state.ringPending = true;
  exchangeWithAll(state);
}

export function ringChanged(state: CoreState, ring: RingId, nodes: readonly number[]): void {
  if (state.ring !== undefined && !equalRings(state.ring, ring)) {
    state.k = 0;
    state.newest = undefined;
  }
  nodesChange(state, nodes);
  state.ring = ring;
  state.ringNodes = new Set(nodes);
  state.ringPending = false;
  // What was said while the old ring broke may be lost: nobody can be blamed for it.
  state.owed.clear();
  suspend(state, "the ring changes");
  exchangeWithAll(state);
}

/** Quorum news for the ring of the view counts when it comes; news of other rings is remembered for theirs. */
export function quorumChanged(state: CoreState, ring: RingId, report: QuorumReport): void {
  const before = quorumOfRing(state);
  state.quorumNews = { ring, report };
  if (!report.quorate) loseQuorum(state, ring);
  const { exchange } = state;
  if (!state.config.policy.needsVotes || exchange === undefined || quorumOfRing(state) === undefined) return;
  if (!exchange.reported) return multicastState(state);
  // The State that is out tells of other votes: it counts, decided upon or not, and another exchange must follow.
  if (JSON.stringify(before) !== JSON.stringify(report)) askRejoin(state, "the partition's votes changed");
}

/**
 * The first configuration tells who this member is, for it joins alone. Slots are node ids: of two processes on one node
 * the later one sees the earlier in it. That one may live, or be dead and listed all the same, as Corosync was seen to do:
 * what becomes of the two is decided with everything else (decide.ts: findMisfits()).
 */
function recogniseSelf(state: CoreState, change: ConfigurationChange): void {
  const { slot } = state.config;
  const self = change.joined.find((member) => member.nodeId === slot);
  const others = change.members.filter((member) => member.nodeId === slot && member.pid !== (state.self ?? self)?.pid).map(addressKey);
  if (state.self !== undefined) state.rivals = new Set(others.filter((other) => state.rivals.has(other)));
  else if (self !== undefined) {
    state.self = { nodeId: self.nodeId, pid: self.pid };
    state.rivals = new Set(others);
  }
}

/** A new configuration: everyone takes part, whoever was excluded before. */
function exchangeWithAll(state: CoreState): void {
  state.attempt = 0;
  state.excluded = new Set();
  state.rejoin.atMs = undefined;
  beginExchange(state);
}

export function configurationKey(state: CoreState): string {
  invariant(state.ring !== undefined, "a configuration has a ring");
  const members = sortedMembers(state).map(addressKey);
  return `${state.ring.seq}:${state.ring.nodeId}|${members.join(",")}`;
}

/** What Excludes go by: a newcomer that never spoke must recognise its own as well. */
export function attemptKey(state: CoreState): string {
  return `${configurationKey(state)}|${state.attempt}`;
}

/**
 * Pids come back, and so a configuration of one ring can look like an earlier one, whose States may still be on their way.
 * Who joined a ring last tells them apart: after it members only leave, until the next one joins. It is named by its
 * incarnation, which nobody can know before it has spoken.
 */
function exchangeKey(state: CoreState): string {
  return `${configurationKey(state)}|${state.newest === undefined ? "" : (state.newest.incarnation ?? "unknown")}|${state.attempt}`;
}

/** The member that must speak before anybody else can. */
export function awaitedNewcomer(state: CoreState): MemberAddress | undefined {
  const { newest, exchange } = state;
  if (newest === undefined || newest.incarnation !== undefined) return undefined;
  return exchange?.members.find((member) => member.nodeId === newest.nodeId && member.pid === newest.pid);
}

function isSelf(state: CoreState, member: MemberAddress): boolean {
  return state.self !== undefined && member.nodeId === state.self.nodeId && member.pid === state.self.pid;
}

/** Ghosts that Corosync lists although their node is not in the ring are left out from the start. */
function sortedMembers(state: CoreState): MemberAddress[] {
  return state.group
    .filter((member) => state.ringNodes.has(member.nodeId))
    .sort((a, b) => a.nodeId - b.nodeId || a.pid - b.pid);
}

function beginExchange(state: CoreState): void {
  state.exchange = undefined;
  if (state.phase === "stopped" || state.ring === undefined || state.ringPending || state.self === undefined) return;
  const members = sortedMembers(state).filter((member) => !state.excluded.has(addressKey(member)));
  // An excluded member follows the exchange of the others, so that it counts attempts and ballots as they do.
  const takesPart = members.some((member) => isSelf(state, member));
  state.exchange = {
    key: exchangeKey(state),
    members,
    takesPart,
    reports: new Map(),
    excludeAskedMs: undefined,
    reported: false,
    decided: false,
  };
  // Until the newcomer has spoken nobody else can.
  const newcomer = awaitedNewcomer(state);
  ask(state, newcomer === undefined ? members : [newcomer], state.exchange.key);
  if (!takesPart) return;
  setPhase(state, "changing", "agreeing on a view");
  multicastState(state);
}

/** Multicasts the own State, once an exchange; with votequorum in charge, not before it has spoken about this ring. */
export function multicastState(state: CoreState, patience: "withVotes" | "withoutVotes" = "withVotes"): void {
  const { exchange, config } = state;
  if (exchange === undefined || exchange.reported || !exchange.takesPart || awaitedNewcomer(state) !== undefined || staysSilent(state)) return;
  const quorum = quorumOfRing(state);
  if (config.policy.needsVotes && quorum === undefined && patience === "withVotes") return;
  exchange.reported = true;
  state.effects.push({ type: "multicast", message: { type: "state", exchange: exchange.key, report: stateReport(state, quorum) } });
}

/**
 * Where every active member must acknowledge, one whose disk takes nothing would hold up all: it lets the others exclude it, and asks back
 * in when there is room.
 */
export function staysSilent({ diskFails, config }: CoreState): boolean {
  return diskFails && config.policy.outdates;
}

export function diskTroubleChanged(state: CoreState, failing: boolean): void {
  state.diskFails = failing;
  multicastState(state);
}

/**
 * Within the ring in which the log's ballot was taken, a State is a claim like a Batch's: it counts only if it is
 * delivered in this ring, and so all that the sender had received was hole-free. It must claim all of it, for its
 * acknowledgements are still under way, and who has stepped over the event that ended the view goes on counting them.
 * An earlier incarnation's ring is another one, whatever it was called: that one may have ended with a hole.
 */
function hasVerified(state: CoreState): number {
  return state.tookBallot && isOfRing(state, state.ballot) && !state.holed ? state.log.end : state.verified;
}

function stateReport(state: CoreState, quorum: QuorumReport | undefined): StateReport {
  const { config, log } = state;
  const pointAt = (position: number): LogPoint => {
    const hash = log.hashAt(position);
    invariant(hash !== undefined, `the log holds position ${position}, which is claimed (${log.base} to ${log.end})`);
    return { position, hash };
  };
  // A state that is wrong holds nothing that others could take, whatever the log says.
  const holds = state.replaceState
    ? { ballot: zeroBallot, verified: genesis, committed: genesis }
    : { ballot: state.ballot, verified: pointAt(hasVerified(state)), committed: pointAt(state.committed) };
  return {
    slot: config.slot,
    incarnation: config.incarnation,
    yields: state.rivals.size > 0,
    lineage: state.lineage,
    unbroken: isUnbroken(state, quorum),
    companions: state.companions,
    ...holds,
    // A disk remembers ballots of this ring from before the process was started in it.
    k: Math.max(state.k, isOfRing(state, state.promised) ? state.promised.k : 0),
    promised: state.promised,
    machine: config.machine,
    version: config.version,
    slots: config.slots,
    durability: config.durability,
    known: state.known,
    policy: config.policy.name,
    ...(config.policy.needsVotes && quorum !== undefined ? { quorum: quorumToTell(state, quorum) } : {}),
  };
}

export function stateReceived(state: CoreState, sender: MemberAddress, message: StateMessage): void {
  if (message.report.slot !== sender.nodeId) return;
  greetNewcomer(state, sender, message);
  answered(state, sender, message.exchange);
  const { exchange } = state;
  if (exchange === undefined || exchange.decided || exchange.key !== message.exchange) return;
  // The first State of a member counts.
  if (exchange.reports.has(addressKey(sender))) return;
  if (!exchange.members.some((member) => member.nodeId === sender.nodeId && member.pid === sender.pid)) return;
  exchange.reports.set(addressKey(sender), message.report);
  if (exchange.reports.size < exchange.members.length) return;
  exchange.decided = true;
  const decision = decide(state, exchange);
  if (exchange.takesPart) install(state, decision);
  else observe(state, decision);
}

/** The first words of the newest member: now the exchange has its name. */
function greetNewcomer(state: CoreState, sender: MemberAddress, { report }: StateMessage): void {
  const { newest, exchange } = state;
  if (newest === undefined || newest.incarnation !== undefined || newest.nodeId !== sender.nodeId || newest.pid !== sender.pid) return;
  newest.incarnation = report.incarnation;
  forgive(state, sender);
  if (exchange === undefined || exchange.decided) return;
  exchange.key = exchangeKey(state);
  // Its first words may answer an earlier configuration than this one.
  ask(state, exchange.members, exchange.key);
  multicastState(state);
}

/** Asked for by any member that has waited long enough; ordered like a configuration change, so all follow it alike. */
export function excludeReceived(state: CoreState, message: ExcludeMessage): void {
  const { exchange } = state;
  if (exchange === undefined || exchange.decided || message.attempt !== attemptKey(state)) return;
  const silent = message.silent.filter((member) => !exchange.reports.has(addressKey(member)));
  if (silent.length === 0) return;
  state.excluded = new Set([...state.excluded, ...silent.map(addressKey)]);
  state.attempt++;
  suspend(state, "a silent member is excluded");
  beginExchange(state);
  if (!silent.some((member) => isSelf(state, member))) return;
  if (state.config.policy.outdates) state.lineage = false;
  setPhase(state, "minority", "this replica was silent for too long and was excluded; it asks to be taken back");
  askRejoinLater(state);
}

export function rejoinReceived(state: CoreState, sender: MemberAddress, message: RejoinMessage): void {
  if (state.ring === undefined || state.ringPending || message.configuration !== configurationKey(state)) return;
  forgive(state, sender);
  state.attempt++;
  state.excluded = new Set();
  state.rejoin.atMs = undefined;
  suspend(state, message.reason);
  beginExchange(state);
}

export function askRejoin(state: CoreState, reason: string): void {
  if (state.ring === undefined || state.ringPending || state.self === undefined) return;
  state.effects.push({ type: "multicast", message: { type: "rejoin", configuration: configurationKey(state), reason } });
}

/** The first time at once, then with a pause that grows each time it is asked (watch.ts: watchExclusion()). */
export function askRejoinLater(state: CoreState): void {
  state.rejoin.atMs = state.nowMs + state.rejoin.backoffMs;
}
