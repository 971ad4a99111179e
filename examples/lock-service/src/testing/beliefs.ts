/**
 * What clients believe: each holds a lock from the answer that told it so until it gives it back, or its lease is over by its own
 * arithmetic. Two that believe to hold what does not go together must never do so at one moment of true time; and a session must
 * not expire while its client may believe in it.
 */
import { Violation, type CallRecord } from "@lockstep/framework/testing";
import type {
  AcquireInput, CancelInput, CloseSessionInput, ConvertInput, ForceReleaseInput, OpenSessionInput, OpenSessionResult, ReleaseInput, RenewSessionsInput, RenewSessionsResult, RequestState, Want,
} from "../machine/inputs.js";
import { goTogether } from "./together.js";

/** Of a TTL, how much may pass faster at the service than at the client: simulated clocks run up to a twentieth fast or slow. */
const drift = 0.1;
/** What the client library's quarter of a second is where messages take milliseconds: here they take some tenths of a second, and more. */
const marginMs = 1_000;

interface Lease {
  /** True time: when the client learnt of it, and until when it trusts in it. */
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Session {
  readonly ttlMs: number | null;
  readonly bound: boolean;
  readonly leases: Lease[];
  /** The client has begun to close it. */
  endMs: number;
}

interface Belief {
  readonly session: string;
  readonly request: string;
  readonly wants: readonly Want[];
  readonly fromMs: number;
  untilMs: number;
}

export class Beliefs {
  readonly #sessions = new Map<string, Session>();
  readonly #beliefs: Belief[] = [];

  /** @param records In the order of their ends. */
  constructor(records: readonly CallRecord[]) {
    for (const record of records) if (record.ending === "answered") this.#learn(record);
    // One that has not begun to let go may have before the answer came: calls count from their beginning.
    for (const record of records) this.#letGo(record);
    for (const belief of this.#beliefs) belief.untilMs = Math.min(belief.untilMs, this.#trustedUntil(belief));
  }

  get size(): number {
    return this.#beliefs.length;
  }

  /** @throws Violation. */
  checkExclusion(): void {
    const held = this.#beliefs.filter(({ fromMs, untilMs, session }) => fromMs < untilMs && this.#sessions.get(session)?.bound === false);
    for (const one of held) {
      for (const want of one.wants) {
        const beside = held.filter((other) => other !== one && !sameRequest(one, other) && other.fromMs <= one.fromMs && one.fromMs < other.untilMs);
        const shares = beside.flatMap((other) => other.wants.filter(({ lock }) => lock === want.lock));
        if (!goTogether([...shares, want])) throw new Violation("leases", `from ${one.fromMs} ms on, clients believe to hold ${want.lock} together: ${describe(one)}; ${beside.filter(({ wants }) => wants.some(({ lock }) => lock === want.lock)).map(describe).join("; ")}`);
      }
    }
  }

  /** @param elapsedMs True time. @throws Violation. */
  checkExpiry(session: string, elapsedMs: number): void {
    const until = Math.max(0, ...(this.#sessions.get(session)?.leases ?? []).map(({ untilMs }) => untilMs));
    if (until > elapsedMs) throw new Violation("expiry", `${session} expired at ${elapsedMs} ms, and its client may trust in it until ${until} ms`);
  }

  #learn({ call, result, startedMs, endedMs }: CallRecord): void {
    if (call.kind !== "submit") return;
    if (call.name === "openSession") {
      const { ttlMs, bound } = call.input as OpenSessionInput;
      const leases = [this.#leaseOf(ttlMs, startedMs, endedMs)];
      this.#sessions.set((result as OpenSessionResult).session, { ttlMs, bound, leases, endMs: Number.POSITIVE_INFINITY });
    } else if (call.name === "renewSessions") {
      const renewed = result as RenewSessionsResult;
      for (const [at, id] of (call.input as RenewSessionsInput).sessions.entries()) {
        const session = this.#sessions.get(id);
        if (renewed[at] === true) session?.leases.push(this.#leaseOf(session.ttlMs, startedMs, endedMs));
      }
    } else if (call.name === "acquire" || call.name === "convert") this.#learnOfRequest(call.input as AcquireInput | ConvertInput, result as RequestState, endedMs);
  }

  #learnOfRequest(input: AcquireInput | ConvertInput, state: RequestState, endedMs: number): void {
    const { session, request } = input;
    if (state.status !== "granted" || this.#beliefs.some((belief) => sameRequest(belief, { session, request }))) return;
    const wants: readonly Want[] = state.locks.map(({ lock, mode, permits }) => (mode === null ? { lock, permits: permits ?? 0, limit: limitOf(input, lock) } : { lock, mode }));
    this.#beliefs.push({ session, request, wants, fromMs: endedMs, untilMs: Number.POSITIVE_INFINITY });
  }

  #letGo({ call, startedMs }: CallRecord): void {
    if (call.kind !== "submit") return;
    const end = (belongs: (belief: Belief) => boolean): void => {
      for (const belief of this.#beliefs) if (belongs(belief)) belief.untilMs = Math.min(belief.untilMs, startedMs);
    };
    switch (call.name) {
      case "release":
      case "cancel": return end((belief) => sameRequest(belief, call.input as ReleaseInput | CancelInput));
      case "convert": return end(({ session, request }) => session === (call.input as ConvertInput).session && request === (call.input as ConvertInput).grant);
      case "closeSession": return end(({ session }) => session === (call.input as CloseSessionInput).session);
      // An operator who takes a lock from somebody has made sure.
      case "forceRelease": return end(({ wants }) => wants.some(({ lock }) => lock === (call.input as ForceReleaseInput).lock));
      default:
    }
  }

  #leaseOf(ttlMs: number | null, startedMs: number, endedMs: number): Lease {
    const lastsMs = ttlMs === null ? Number.POSITIVE_INFINITY : ttlMs * (1 - drift) - marginMs;
    return { fromMs: endedMs, untilMs: startedMs + lastsMs };
  }

  /** A lease that has run out is not taken up again: the critical section has been ended. */
  #trustedUntil({ session: id, fromMs }: Belief): number {
    const leases = this.#sessions.get(id)?.leases.toSorted((a, b) => a.fromMs - b.fromMs) ?? [];
    let until = 0;
    for (const lease of leases) if (lease.fromMs <= Math.max(fromMs, until)) until = Math.max(until, lease.untilMs);
    return until;
  }
}

function limitOf(input: AcquireInput | ConvertInput, lock: string): number {
  const want = "wants" in input ? input.wants.find((each) => each.lock === lock) : undefined;
  return want !== undefined && "limit" in want ? want.limit : 0;
}

function sameRequest(a: { readonly session: string; readonly request: string }, b: { readonly session: string; readonly request: string }): boolean {
  return a.session === b.session && a.request === b.request;
}

function describe({ session, request, wants, fromMs, untilMs }: Belief): string {
  return `${request} of ${session} ${JSON.stringify(wants)} from ${fromMs} to ${untilMs} ms`;
}
