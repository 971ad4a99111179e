/**
 * Judges a run by what was recorded alone: the service's events as they were heard, and what came to the resource. It knows nothing of how the service decides.
 *
 * All times are of one clock. An event happened before it was heard, and a client read its clock before it found its grant held: so who is found here to have believed
 * too long has done so, by at least as much.
 */
import type { LockEvent } from "@lockstep/lock-service/client";
import { permits } from "./records.js";
import type { HolderValue, LockUse, ResourceRecord, SeenEvent } from "./records.js";

export interface LockFindings {
  /** Writes that were accepted after one with a higher token. */
  readonly lateWrites: readonly string[];
  /** Sections that wrote after a later one, under the same lock, had written. */
  readonly overlappingSections: readonly string[];
  /** Tokens that did not grow from grant to grant, or that two clients had. */
  readonly tokens: readonly string[];
  /** Grants beside a holder with whom they do not go together. */
  readonly incompatibleHolders: readonly string[];
  /** Grants that passed one who had come before. */
  readonly overtaken: readonly string[];
  /** Grants that a client had and the service never told of, or of another session. */
  readonly unknownGrants: readonly string[];
  /** Clients that found their grant held after it had been taken from them. */
  readonly beliefs: readonly string[];
  /** The events are not all there, or two replicas told different ones. */
  readonly events: readonly string[];
}

export interface LockCounts {
  readonly grants: number;
  readonly writesAccepted: number;
  readonly writesRefused: number;
  /** Clients of bound sessions that found their grant held after the replica process of the session had been given up: nothing has told them. Not promised. */
  readonly beliefsPastReplica: number;
  /** Before a grant was taken because its session had expired: how long its client had not believed in it any more. The least, milliseconds. */
  readonly leastMarginMs: number | undefined;
}

type Granted = Extract<LockEvent, { type: "granted" }>;

interface Holding {
  readonly event: Granted;
  readonly use: LockUse;
}

export function checkLocks(events: readonly SeenEvent[], records: readonly ResourceRecord[]): { readonly findings: LockFindings; readonly counts: LockCounts } {
  const ordered = [...events].sort((a, b) => a.event.revision - b.event.revision);
  const writes = checkWrites(records);
  const log = checkLog(ordered.map(({ event }) => event));
  const beliefs = checkBeliefs(ordered, records);
  return {
    findings: { ...writes, ...log, tokens: [...log.tokens, ...sharedTokens(records)], unknownGrants: checkEntries(ordered, records), beliefs: beliefs.found, events: checkComplete(ordered) },
    counts: {
      grants: events.filter(({ event }) => event.type === "granted").length,
      writesAccepted: records.filter(({ kind, accepted }) => kind === "write" && accepted).length, writesRefused: records.filter(({ accepted }) => !accepted).length,
      beliefsPastReplica: beliefs.pastReplica, leastMarginMs: beliefs.leastMarginMs,
    },
  };
}

/** In the order in which they came to the resource. */
function checkWrites(records: readonly ResourceRecord[]): Pick<LockFindings, "lateWrites" | "overlappingSections"> {
  const highest = new Map<string, number>();
  const lateWrites: string[] = [];
  const sections = new Set<string>();
  for (const { kind, accepted, locks, token, client } of records) {
    if (kind !== "write" || !accepted) continue;
    const late = locks.find((lock) => token < (highest.get(lock) ?? 0));
    if (late !== undefined) {
      lateWrites.push(`${client} wrote under ${late} with token ${token} after a write with ${highest.get(late) ?? 0}`);
      sections.add(`${client} with token ${token}: others had written under ${late} before it had ended`);
    }
    for (const lock of locks) highest.set(lock, Math.max(highest.get(lock) ?? 0, token));
  }
  return { lateWrites, overlappingSections: Array.from(sections) };
}

function sharedTokens(records: readonly ResourceRecord[]): string[] {
  const clientOf = new Map<number, string>();
  const found = new Set<string>();
  for (const { token, client } of records) {
    const other = clientOf.get(token) ?? client;
    if (other !== client) found.add(`${other} and ${client} both had token ${token}`);
    clientOf.set(token, other);
  }
  return Array.from(found);
}

/** What the service says that it did, in its own order. */
function checkLog(events: readonly LockEvent[]): Pick<LockFindings, "tokens" | "incompatibleHolders" | "overtaken"> {
  const held = new Map<string, Holding[]>();
  const queues = new Map<string, Extract<LockEvent, { type: "queued" }>[]>();
  const tokens: string[] = [];
  const incompatibleHolders: string[] = [];
  const overtaken: string[] = [];
  let newest = 0;
  const leaveQueues = (leaves: (waiter: { readonly session: string; readonly request: string }) => boolean): void => {
    for (const [lock, queue] of queues) queues.set(lock, queue.filter((waiter) => !leaves(waiter)));
  };
  for (const event of events) {
    if (event.type === "queued") {
      for (const lock of event.locks) queues.set(lock, [...queues.get(lock) ?? [], event]);
    } else if (event.type === "refused") {
      leaveQueues(({ session, request }) => session === event.session && request === event.request);
    } else if (event.type === "session-ended") {
      leaveQueues(({ session }) => session === event.session);
    } else if (event.type === "released") {
      for (const lock of event.locks) held.set(lock, (held.get(lock) ?? []).filter((holding) => holding.event.token !== event.token));
    } else if (event.type === "granted") {
      if (event.token <= newest) tokens.push(`token ${event.token} was granted after ${newest}`);
      newest = Math.max(newest, event.token);
      const passed = firstPassed(queues, event);
      if (passed !== undefined) overtaken.push(`${nameOf(event)} was granted ${event.locks.join(", ")} before ${passed.request}, who had come before`);
      leaveQueues(({ session, request }) => session === event.session && request === event.request);
      for (const lock of event.locks) {
        const holdings = held.get(lock) ?? [];
        const now: Holding = { event, use: valueOf(event).use };
        if (!compatible(now.use, holdings)) incompatibleHolders.push(`${nameOf(event)} got ${lock} (${now.use}) with token ${event.token}, held by ${holdings.map((other) => `${nameOf(other.event)} (${other.use}, ${other.event.token})`).join(", ")}`);
        held.set(lock, [...holdings, now]);
      }
    }
  }
  return { tokens, incompatibleHolders, overtaken };
}

/** Of those who want one lock, and the same: what stands for several locks at once waits for all of them. */
function firstPassed(queues: ReadonlyMap<string, readonly Extract<LockEvent, { type: "queued" }>[]>, { session, request, locks: [lock, ...more] }: Granted): { readonly request: string } | undefined {
  if (lock === undefined || more.length > 0) return undefined;
  const first = queues.get(lock)?.find(({ locks }) => locks.length === 1);
  return first === undefined || (first.session === session && first.request === request) ? undefined : first;
}

function compatible(use: LockUse, holdings: readonly Holding[]): boolean {
  if (use === "permit") return holdings.length < permits && holdings.every((other) => other.use === "permit");
  return holdings.length === 0 || (use === "PR" && holdings.every((other) => other.use === "PR"));
}

/** What clients were told of is what the service did. Who was killed before it entered is not among them. */
function checkEntries(events: readonly SeenEvent[], records: readonly ResourceRecord[]): string[] {
  const granted = new Map(events.flatMap(({ event }) => (event.type === "granted" ? [[event.token, event] as const] : [])));
  return records.flatMap(({ kind, client, session, token, locks }) => {
    const event = granted.get(token);
    const same = event !== undefined && event.session === session && [...event.locks].sort().join() === [...locks].sort().join();
    return kind === "enter" && !same ? [`${client} was given ${locks.join(", ")} with token ${token}: the service says ${JSON.stringify(event ?? null)}`] : [];
  });
}

function checkBeliefs(events: readonly SeenEvent[], records: readonly ResourceRecord[]): { found: string[]; pastReplica: number; leastMarginMs: number | undefined } {
  const lastHeld = new Map<number, ResourceRecord & { readonly heldAt: number }>();
  const entered = new Map<number, number>();
  for (const record of records) {
    const { kind, token, heldAt } = record;
    if (heldAt === null) continue;
    if (kind === "enter") entered.set(token, heldAt);
    if (heldAt > (lastHeld.get(token)?.heldAt ?? 0)) lastHeld.set(token, { ...record, heldAt });
  }
  const reasons = new Map(events.flatMap(({ event }) => (event.type === "session-ended" ? [[event.session, event.reason] as const] : [])));
  const expired = new Set(events.flatMap(({ event }) => (event.type === "released" && event.reason === "session-ended" && reasons.get(event.session) === "expired" ? [event.token] : [])));
  const taken = takenBy(events, entered);
  const found: string[] = [];
  let pastReplica = 0;
  let leastMarginMs: number | undefined;
  for (const [token, { client, session, locks, heldAt }] of lastHeld) {
    const over = taken.get(token);
    if (over === undefined) continue;
    const lateMs = heldAt - over.at;
    if (expired.has(token) && (leastMarginMs === undefined || -lateMs < leastMarginMs)) leastMarginMs = -lateMs;
    if (lateMs <= 0) continue;
    if (reasons.get(session) === "replica-lost") pastReplica++;
    else found.push(`${client} found ${locks.join(", ")} (token ${token}) held ${lateMs.toFixed(1)} ms after ${over.what}; its session's end: ${reasons.get(session) ?? "none"}`);
  }
  return { found, pastReplica, leastMarginMs };
}

/** By token: the earliest time by which the grant certainly was over: its release was heard of, or the next one for its lock was heard of or entered. */
function takenBy(events: readonly SeenEvent[], entered: ReadonlyMap<number, number>): ReadonlyMap<number, { readonly at: number; readonly what: string }> {
  const taken = new Map<number, { at: number; what: string }>();
  const over = (token: number, at: number, what: string): void => {
    if (at < (taken.get(token)?.at ?? Infinity)) taken.set(token, { at, what });
  };
  const held = new Map<string, Holding[]>();
  for (const { event, seenAt } of events) {
    if (event.type === "released") {
      over(event.token, seenAt, "its release was heard of");
    } else if (event.type === "granted") {
      const { use } = valueOf(event);
      const at = Math.min(seenAt, entered.get(event.token) ?? Infinity);
      for (const lock of event.locks) {
        const others = held.get(lock) ?? [];
        for (const other of others) if (use !== "permit" && (use === "EX" || other.use === "EX")) over(other.event.token, at, `token ${event.token} was granted`);
        held.set(lock, [...others.filter((other) => use !== "EX" && other.use !== "EX"), { event, use }]);
      }
    }
  }
  return taken;
}

/** Revisions have no gaps: an event that nobody heard of would go unjudged. */
function checkComplete(events: readonly SeenEvent[]): string[] {
  return events.flatMap(({ event: { revision } }, index) => {
    const expected = (events[index - 1]?.event.revision ?? 0) + 1;
    return revision === expected ? [] : [`event ${revision} was heard of after ${expected - 1}`];
  });
}

function valueOf({ value }: Granted): HolderValue {
  return JSON.parse(value ?? "") as HolderValue;
}

function nameOf(event: Granted): string {
  return valueOf(event).client;
}
