/**
 * What the machine should do, said another way: a list of requests, and everything recomputed from it whenever something happens.
 * Shares the types of inputs with the machine, and none of its code.
 */
import type { Want } from "../machine/inputs.js";
import type { LockMode } from "../machine/modes.js";
import { goTogether, modesGoTogether } from "./together.js";

export interface ModelSession {
  readonly id: string;
  readonly ttlMs: number | null;
  readonly lockDelayMs: number;
  readonly boundTo: string | null;
  deadline: number;
  ended: string | undefined;
}

export interface ModelRequest {
  readonly session: ModelSession;
  readonly request: string;
  readonly owner: string | null;
  wants: Want[];
  readonly seq: number;
  readonly converts: ModelRequest | undefined;
  readonly since: number;
  readonly deadline: number;
  status: "waiting" | "granted" | "refused";
  refusal: string | undefined;
  token: number;
  value: string | null;
}

interface Block {
  data: string;
  valid: boolean;
}

const modeOf = (want: Want): LockMode | undefined => ("mode" in want ? want.mode : undefined);

export class Model {
  now = 0;
  readonly sessions: ModelSession[] = [];
  readonly requests: ModelRequest[] = [];
  readonly delays = new Map<string, number>();
  readonly blocks = new Map<string, Block>();
  /** What has happened since somebody looked: "granted S R", "ended S R", "over S reason". */
  readonly facts: string[] = [];
  #seq = 0;

  // What can be asked of it.

  session(id: string): ModelSession | undefined {
    return this.sessions.find((session) => session.id === id && session.ended === undefined);
  }

  find(session: ModelSession, request: string): ModelRequest | undefined {
    return this.requests.find((each) => each.session === session && each.request === request);
  }

  granted(lock: string): ModelRequest[] {
    return this.requests.filter(({ status, wants }) => status === "granted" && wants.some((want) => want.lock === lock));
  }

  /** In queue order: conversions, then others; places of NL last. */
  queue(lock: string): ModelRequest[] {
    const part = (request: ModelRequest): number => (request.converts !== undefined ? 0 : modeOf(this.#want(request, lock)) === "NL" ? 2 : 1);
    return this.requests.filter(({ status, wants }) => status === "waiting" && wants.some((want) => want.lock === lock)).toSorted((a, b) => part(a) - part(b) || a.seq - b.seq);
  }

  kindOf(lock: string): number | null | undefined {
    const any = this.requests.find(({ status, wants }) => status !== "refused" && wants.some((want) => want.lock === lock));
    if (any === undefined) return undefined;
    const want = this.#want(any, lock);
    return "limit" in want ? want.limit : null;
  }

  delayed(lock: string): number | undefined {
    const until = this.delays.get(lock);
    return until === undefined || until <= this.now ? undefined : until;
  }

  #want({ wants }: ModelRequest, lock: string): Want {
    const want = wants.find((each) => each.lock === lock);
    if (want === undefined) throw new Error("no such want");
    return want;
  }

  // Who is in whose way.

  #incompatible(a: Want, b: Want, others: number): boolean {
    if ("mode" in a && "mode" in b) return !modesGoTogether(a.mode, b.mode);
    if ("permits" in a && "permits" in b) return a.permits + b.permits + others > a.limit;
    throw new Error("kinds mixed");
  }

  /** Holders that this request does not go together with. All of a semaphore's, if its permits are not enough. */
  holdersInTheWay(request: ModelRequest, want: Want): ModelRequest[] {
    const holders = this.granted(want.lock).filter((holder) => holder !== request.converts);
    if ("mode" in want) return holders.filter((holder) => this.#incompatible(this.#want(holder, want.lock), want, 0));
    const used = holders.reduce((sum, holder) => sum + (this.#want(holder, want.lock) as { permits: number }).permits, 0);
    return used + want.permits > want.limit ? holders : [];
  }

  ahead(request: ModelRequest, want: Want): ModelRequest[] {
    if (modeOf(want) === "NL") return [];
    const queue = this.queue(want.lock).filter((each) => modeOf(this.#want(each, want.lock)) !== "NL" || each.converts !== undefined);
    const at = queue.indexOf(request);
    const before = at === -1 ? queue : queue.slice(0, at);
    return request.converts === undefined ? before : before.filter((each) => each.converts !== undefined);
  }

  #grantable(request: ModelRequest): boolean {
    return request.wants.every((want) => {
      if (modeOf(want) === "NL") return true;
      return this.delayed(want.lock) === undefined && this.holdersInTheWay(request, want).length === 0 && this.ahead(request, want).length === 0;
    });
  }

  obstacle(request: ModelRequest): "LOCK_DELAY" | "HELD" | undefined {
    for (const want of request.wants) {
      if (modeOf(want) === "NL") continue;
      if (this.delayed(want.lock) !== undefined) return "LOCK_DELAY";
      if (this.holdersInTheWay(request, want).length > 0 || this.ahead(request, want).length > 0) return "HELD";
    }
    return undefined;
  }

  // What happens.

  add(request: Omit<ModelRequest, "seq" | "since" | "status" | "refusal" | "token">): ModelRequest {
    this.#seq++;
    const added: ModelRequest = { ...request, seq: this.#seq, since: this.now, status: "waiting", refusal: undefined, token: 0 };
    this.requests.push(added);
    return added;
  }

  grant(request: ModelRequest): void {
    request.status = "granted";
    this.facts.push(`granted ${request.session.id} ${request.request}`);
    if (request.converts === undefined) return;
    request.value = request.converts.value;
    this.finish(request.converts, "RELEASED");
  }

  finish(request: ModelRequest, refusal: string): void {
    for (const conversion of this.requests) if (conversion.converts === request && conversion.status === "waiting") this.finish(conversion, refusal);
    this.refuse(request, refusal);
    this.facts.push(`ended ${request.session.id} ${request.request}`);
  }

  /** Before it has come to anything. */
  refuse(request: ModelRequest, refusal: string): void {
    request.status = "refused";
    request.refusal = refusal;
  }

  end(session: ModelSession, reason: string, delayed: boolean): void {
    session.ended = reason;
    this.facts.push(`over ${session.id} ${reason}`);
    for (const request of this.requests) {
      if (request.session !== session || request.status === "refused") continue;
      if (request.status === "granted" && delayed) this.abandon(request, session.lockDelayMs);
      this.refuse(request, "SESSION_OVER");
      this.facts.push(`ended ${session.id} ${request.request}`);
    }
  }

  abandon({ wants }: ModelRequest, delayMs: number): void {
    for (const want of wants) {
      const block = this.blocks.get(want.lock);
      if (block !== undefined && (modeOf(want) === "PW" || modeOf(want) === "EX")) block.valid = false;
      if (delayMs > 0 && modeOf(want) !== "NL") this.delays.set(want.lock, Math.max(this.delays.get(want.lock) ?? 0, this.now + delayMs));
    }
  }

  /** Time comes to this: whoever is over is over; nobody has got anything meanwhile. */
  reach(now: number): void {
    this.now = now;
    for (const session of this.sessions) if (session.ended === undefined && session.deadline <= now) this.end(session, "expired", true);
    for (const request of this.requests) if (request.status === "waiting" && request.deadline <= now) this.finish(request, "WAIT_TIMEOUT");
  }

  /** Grants whatever can be granted; forgets what belongs to locks that nobody uses. */
  settle(): void {
    for (let next = this.requests.find((each) => each.status === "waiting" && this.#grantable(each)); next !== undefined; next = this.requests.find((each) => each.status === "waiting" && this.#grantable(each))) this.grant(next);
    for (const lock of this.blocks.keys()) if (this.kindOf(lock) === undefined && this.delayed(lock) === undefined) this.blocks.delete(lock);
  }

  // Deadlocks.

  /** Those that wait and cannot be granted even when everybody who can go on has given back what they have. */
  #stuck(): { readonly requests: Set<ModelRequest>; readonly isStuck: (request: ModelRequest) => boolean } {
    const requests = new Set(this.requests.filter(({ status }) => status === "waiting"));
    const isStuck = (of: ModelRequest): boolean => [...requests].some((each) => partyOf(each) === partyOf(of));
    for (;;) {
      const released = [...requests].filter((request) => request.wants.every((want) => this.#canBeGranted(request, want, requests, isStuck)));
      if (released.length === 0) return { requests, isStuck };
      for (const request of released) requests.delete(request);
    }
  }

  #canBeGranted(request: ModelRequest, want: Want, stuck: ReadonlySet<ModelRequest>, isStuck: (request: ModelRequest) => boolean): boolean {
    if (modeOf(want) === "NL") return true;
    const ahead = this.ahead(request, want);
    if (ahead.some((each) => stuck.has(each))) return false;
    const kept = [...this.granted(want.lock).filter((holder) => holder !== request.converts), ...ahead].filter(isStuck);
    return goTogetherWith(want, kept.map((each) => this.#want(each, want.lock)));
  }

  /** Nodes: "got R" (the request is granted), "free R" (it is given back, too), "party P" (goes on). An edge: cannot be before. */
  #needs(): Map<string, string[]> {
    const edges = new Map<string, string[]>();
    const add = (from: string, to: string): void => { edges.set(from, [...(edges.get(from) ?? []), to]); };
    const { requests, isStuck } = this.#stuck();
    for (const request of requests) {
      add(partyOf(request), `got ${request.seq}`);
      for (const want of request.wants) {
        if (modeOf(want) === "NL") continue;
        const inTheWay = (other: ModelRequest): boolean => isStuck(other) && !("mode" in want && goTogether([want, this.#want(other, want.lock)]));
        for (const holder of this.granted(want.lock)) if (holder !== request.converts && inTheWay(holder)) add(`got ${request.seq}`, partyOf(holder));
        for (const earlier of this.ahead(request, want)) {
          if (requests.has(earlier)) add(`got ${request.seq}`, `got ${earlier.seq}`);
          if (inTheWay(earlier)) add(`got ${request.seq}`, `free ${earlier.seq}`);
        }
      }
    }
    for (const request of this.requests.filter(({ status }) => status === "waiting")) {
      if (requests.has(request)) add(`free ${request.seq}`, `got ${request.seq}`);
      if (isStuck(request)) add(`free ${request.seq}`, partyOf(request));
    }
    return edges;
  }

  /** Requests that are part of a circle of those that are stuck. */
  deadlocked(): number[] {
    const edges = this.#needs();
    const reach = (from: string): Set<string> => {
      const seen = new Set<string>();
      const stack = [...(edges.get(from) ?? [])];
      for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
        if (seen.has(node)) continue;
        seen.add(node);
        stack.push(...(edges.get(node) ?? []));
      }
      return seen;
    };
    return this.requests.filter(({ status, seq }) => status === "waiting" && (reach(`got ${seq}`).has(`got ${seq}`) || reach(`free ${seq}`).has(`free ${seq}`))).map(({ seq }) => seq);
  }
}

function partyOf({ session, owner }: ModelRequest): string {
  return `party ${session.id} ${JSON.stringify(owner)}`;
}

/** The others are together already, or would not be kept. */
function goTogetherWith(want: Want, others: readonly Want[]): boolean {
  return "mode" in want ? others.every((other) => goTogether([want, other])) : goTogether([want, ...others]);
}
