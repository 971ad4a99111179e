/**
 * An account of a lock service from its log alone: every applied entry is done again on a model (model.ts), and what the service
 * answered and told must be what the model says. Knows nothing of the machine's state but the events in it.
 */
import type { AppliedEntry, CommandOutcome } from "@lockstep/framework";
import { Violation } from "@lockstep/framework/testing";
import type { LockEvent } from "../machine/events.js";
import type {
  AcquireInput, CancelInput, CloseSessionInput, ConvertInput, ForceReleaseInput, OpenSessionInput, OpenSessionResult, ProclaimInput, ReleaseInput, RenewSessionsInput, RequestState, Want,
} from "../machine/inputs.js";
import type { LockMode } from "../machine/modes.js";
import { Model, type ModelRequest, type ModelSession } from "./model.js";

/** What a command comes to: the code of its state or rejection, or its result in words. */
type Expected = string;

export class Ledger {
  readonly model = new Model();
  readonly #events: ReadonlyMap<number, readonly LockEvent[]>;
  #members: readonly string[] = [];
  #lost: readonly string[] = [];
  #position = 0;

  /** @param events All that there were. */
  constructor(events: Iterable<LockEvent>) {
    const byPosition = new Map<number, LockEvent[]>();
    for (const event of events) {
      const here = byPosition.get(event.position);
      if (here === undefined) byPosition.set(event.position, [event]);
      else here.push(event);
    }
    this.#events = byPosition;
  }

  /** @throws Violation. */
  enter(entry: AppliedEntry): void {
    this.#position = entry.position;
    if (entry.skipped) return;
    this.#pass(entry);
    this.#changeMembers(entry);
    for (const { call, outcome, repeated } of entry.commands) {
      if (repeated || call.name.startsWith("lockstep:")) continue;
      const expected = this.#run(call.name, call.input, outcome, entry.origin.incarnation);
      this.model.settle();
      const found = codeOf(outcome);
      if (found !== expected) this.#violated("answers of the service", `${call.name} ${JSON.stringify(call.input)} came to ${found}, and should have come to ${expected}`);
    }
    this.#compareEvents();
  }

  /** The timers that are due fire before everything else: whoever is over is over for all of the entry. */
  #pass(entry: AppliedEntry): void {
    for (const { outcome, call } of entry.fired) if (!outcome.ok) this.#violated("timers", `${call.name} failed: ${outcome.message}`);
    const { model } = this;
    model.now = entry.now;
    for (const session of model.sessions) if (session.ended === undefined && session.boundTo !== null && this.#lost.includes(session.boundTo)) model.end(session, "replica-lost", true);
    this.#lost = [];
    model.reach(entry.now);
    model.settle();
  }

  #changeMembers({ membersChange }: AppliedEntry): void {
    if (membersChange === undefined) return;
    const { change, outcome } = membersChange;
    if (!outcome.ok) this.#violated("members", outcome.message);
    this.#members = change.members.map(({ incarnation }) => incarnation);
    this.#lost = change.left.map(({ incarnation }) => incarnation);
  }

  #compareEvents(): void {
    const told = (this.#events.get(this.#position) ?? []).flatMap(factOf).toSorted();
    const known = this.model.facts.splice(0).toSorted();
    if (told.join("\n") === known.join("\n")) return;
    const only = (these: readonly string[], others: readonly string[]): string => these.filter((fact) => !others.includes(fact)).join(", ") || "nothing";
    this.#violated("account", `the events say ${only(told, known)}, of which the account knows nothing; the account has ${only(known, told)}, of which the events say nothing`);
  }

  #violated(rule: string, what: string): never {
    throw new Violation(rule, `at position ${this.#position}: ${what}`);
  }

  // The commands.

  #run(name: string, input: unknown, outcome: CommandOutcome, origin: string): Expected {
    switch (name) {
      case "openSession": return this.#open(input as OpenSessionInput, outcome, origin);
      case "renewSessions": return JSON.stringify((input as RenewSessionsInput).sessions.map((id) => this.#renew(id)));
      case "closeSession": return this.#close(input as CloseSessionInput);
      case "acquire": return this.#acquire(input as AcquireInput);
      case "convert": return this.#convert(input as ConvertInput);
      case "release": return this.#release(input as ReleaseInput);
      case "cancel": return this.#cancel(input as CancelInput);
      case "proclaim": return this.#proclaim(input as ProclaimInput);
      case "forceRelease": return this.#force(input as ForceReleaseInput);
      default: return this.#violated("account", `there is no command ${name}`);
    }
  }

  #open({ ttlMs, lockDelayMs, bound }: OpenSessionInput, outcome: CommandOutcome, origin: string): Expected {
    if (bound && this.#members.length > 0 && !this.#members.includes(origin)) return "SESSION_OVER";
    if (!outcome.ok) return "a session";
    const { session: id } = outcome.result as OpenSessionResult;
    const { model } = this;
    const deadline = ttlMs === null ? null : model.now + ttlMs;
    if (model.sessions.some((session) => session.id === id)) this.#violated("sessions", `${id} was opened twice`);
    model.sessions.push({ id, ttlMs, lockDelayMs, boundTo: bound ? origin : null, deadline: deadline ?? Infinity, ended: undefined });
    return `${id} until ${deadline}`;
  }

  #renew(id: string): boolean {
    const session = this.model.session(id);
    if (session === undefined) return false;
    if (session.ttlMs !== null) session.deadline = this.model.now + session.ttlMs;
    return true;
  }

  #close({ session: id, delayed = false }: CloseSessionInput): Expected {
    const session = this.model.session(id);
    if (session === undefined) return "closed false";
    this.model.end(session, "closed", delayed);
    return "closed true";
  }

  #acquire({ session: id, request, owner: by, wants, waitMs }: AcquireInput): Expected {
    const { model } = this;
    const owner = by ?? null;
    const session = model.session(id);
    if (session === undefined) return "SESSION_OVER";
    const known = model.find(session, request);
    if (known !== undefined) {
      const same = known.wants.length === 0 || (known.converts === undefined && known.owner === owner && JSON.stringify(known.wants) === JSON.stringify(wants));
      return same ? standingOf(known) : "REQUEST_MISMATCH";
    }
    if (wants.some((want) => !this.#kindFits(want))) return "KIND_MISMATCH";
    const added = model.add({ session, request, owner, wants: [...wants], converts: undefined, deadline: waitMs === null ? Infinity : model.now + waitMs, value: null });
    return this.#request(added, waitMs);
  }

  #kindFits(want: Want): boolean {
    const kind = this.model.kindOf(want.lock);
    return kind === undefined || kind === ("limit" in want ? want.limit : null);
  }

  #convert({ session: id, request, grant, mode, waitMs, valueBlock }: ConvertInput): Expected {
    const { model } = this;
    const session = model.session(id);
    if (session === undefined) return "SESSION_OVER";
    const known = model.find(session, request);
    if (known !== undefined) {
      const [want] = known.wants;
      return want === undefined || (known.converts?.request === grant && "mode" in want && want.mode === mode) ? standingOf(known) : "REQUEST_MISMATCH";
    }
    const held = model.find(session, grant);
    if (held === undefined) return "NO_SUCH_REQUEST";
    const [want] = held.wants;
    const converting = model.requests.some(({ converts, status }) => converts === held && status === "waiting");
    if (held.status !== "granted" || held.wants.length !== 1 || want === undefined || !("mode" in want) || converting) return "NOT_CONVERTIBLE";
    if (valueBlock !== undefined && !mayWrite(want.mode)) return "NOT_WRITABLE";
    if (valueBlock !== undefined) model.blocks.set(want.lock, { data: valueBlock, valid: true });
    const added = model.add({ session, request, owner: held.owner, wants: [{ lock: want.lock, mode }], converts: held, deadline: waitMs === null ? Infinity : model.now + waitMs, value: held.value });
    if (!isDownward(want.mode, mode)) return this.#request(added, waitMs);
    model.grant(added);
    return "granted";
  }

  #request(added: ModelRequest, waitMs: number | null): Expected {
    const { model } = this;
    const obstacle = model.obstacle(added);
    if (waitMs === 0 && obstacle !== undefined) {
      model.refuse(added, obstacle);
      return obstacle;
    }
    if (obstacle === undefined) model.grant(added);
    this.#breakCircles();
    model.settle();
    return standingOf(added);
  }

  /** Of those that are in one, the service may have chosen the youngest of any: the events say which. */
  #breakCircles(): void {
    const { model } = this;
    for (let circle = model.deadlocked(); circle.length > 0; circle = model.deadlocked()) {
      const victim = model.requests.findLast((each) => circle.includes(each.seq) && this.#isVictim(each));
      if (victim === undefined) this.#violated("deadlocks", `a circle was left: ${circle.join(", ")}`);
      model.finish(victim, "DEADLOCK");
    }
  }

  #isVictim({ session, request }: ModelRequest): boolean {
    return (this.#events.get(this.#position) ?? []).some((event) => event.type === "refused" && event.refusal.code === "DEADLOCK" && event.session === session.id && event.request === request);
  }

  #release({ session: id, request, valueBlock }: ReleaseInput): Expected {
    const found = this.#find(id, request);
    if (typeof found === "string") return found;
    if (found.status === "granted" && valueBlock !== undefined) {
      const [want, ...others] = found.wants;
      if (want === undefined || others.length > 0 || !("mode" in want) || !mayWrite(want.mode)) return "NOT_WRITABLE";
      this.model.blocks.set(want.lock, { data: valueBlock, valid: true });
    }
    if (found.status !== "refused") this.model.finish(found, found.status === "granted" ? "RELEASED" : "CANCELLED");
    return standingOf(found);
  }

  #cancel({ session: id, request }: CancelInput): Expected {
    const found = this.#find(id, request);
    if (found === "NO_SUCH_REQUEST") {
      const session = this.model.session(id) as ModelSession;
      this.model.refuse(this.model.add({ session, request, owner: null, wants: [], converts: undefined, deadline: Infinity, value: null }), "CANCELLED");
      return "CANCELLED";
    }
    if (typeof found === "string") return found;
    if (found.status !== "refused") this.model.finish(found, "CANCELLED");
    return standingOf(found);
  }

  #proclaim({ session, request, value }: ProclaimInput): Expected {
    const found = this.#find(session, request);
    if (typeof found === "string") return found;
    if (found.status !== "refused") found.value = value;
    return standingOf(found);
  }

  #force({ lock, session: only }: ForceReleaseInput): Expected {
    const taken = this.model.granted(lock).filter(({ session }) => only === undefined || session.id === only);
    for (const request of taken) {
      this.model.abandon(request, 0);
      this.model.finish(request, "RELEASED");
    }
    return `released ${taken.length}`;
  }

  #find(id: string, request: string): ModelRequest | "SESSION_OVER" | "NO_SUCH_REQUEST" {
    const session = this.model.session(id);
    return session === undefined ? "SESSION_OVER" : (this.model.find(session, request) ?? "NO_SUCH_REQUEST");
  }
}

function standingOf({ refusal, status }: ModelRequest): string {
  return refusal ?? status;
}

function mayWrite(mode: LockMode): boolean {
  return mode === "PW" || mode === "EX";
}

/** In the order of strength; CW and PR beside each other. */
export function isDownward(from: LockMode, to: LockMode): boolean {
  const order = ["NL", "CR", "CW PR", "PW", "EX"];
  const rank = (mode: LockMode): number => order.findIndex((modes) => modes.split(" ").includes(mode));
  return from === to || rank(to) < rank(from);
}

function codeOf(outcome: CommandOutcome): string {
  if (!outcome.ok) return outcome.code === "REJECTED" ? (outcome.details as { readonly code: string }).code : `${outcome.code} (${outcome.message})`;
  const { result } = outcome;
  if (Array.isArray(result)) return JSON.stringify(result);
  const one = result as Partial<RequestState> & { readonly session?: string; readonly deadline?: number | null; readonly closed?: boolean; readonly released?: number };
  if (one.status !== undefined) return one.status === "refused" && "refusal" in one ? (one.refusal?.code ?? "refused") : one.status;
  if (one.closed !== undefined) return `closed ${one.closed}`;
  return one.released === undefined ? `${one.session} until ${one.deadline}` : `released ${one.released}`;
}

function factOf(event: LockEvent): string[] {
  switch (event.type) {
    case "granted": return [`granted ${event.session} ${event.request}`];
    case "released":
    case "refused": return [`ended ${event.session} ${event.request}`];
    case "session-ended": return [`over ${event.session} ${event.reason}`];
    default: return [];
  }
}
