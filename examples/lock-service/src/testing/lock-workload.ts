/** Random calls to a lock service, and what must be true of everything that it does: for the simulator. */
import type { AppliedEntry } from "@lockstep/framework";
import { Violation, type Call, type CallRecord, type Random, type Workload } from "@lockstep/framework/testing";
import type { AcquireInput, ConvertInput, OpenSessionResult, RequestState, Want } from "../machine/inputs.js";
import { lockMachine, type LockState } from "../machine/machine.js";
import { lockModes, type LockMode } from "../machine/modes.js";
import { lockView } from "../machine/views.js";
import { Beliefs } from "./beliefs.js";
import { checkEvents } from "./event-checks.js";
import { Ledger } from "./ledger.js";
import { goTogether } from "./together.js";

const semaphoreLimit = 3;
/** Sessions and requests that clients go on with: the newest. */
const remembered = 12;
const names = ["open", "renew", "close", "acquire", "again", "convert", "release", "cancel", "proclaim", "force"] as const;
type Name = (typeof names)[number];

interface Asked {
  readonly input: AcquireInput;
  standing: RequestState["status"] | "unknown";
}

export class LockWorkload implements Workload {
  readonly #weights: readonly (readonly [Name, number])[];
  readonly #locks: readonly string[];
  readonly #identified: number;
  readonly #longest: number;
  #calls = 0;
  #requests = 0;
  #sessions: string[] = [];
  #asked: Asked[] = [];
  /** Entries by position, with the true time when the first replica applied them. */
  readonly #entries: { readonly entry: AppliedEntry; readonly hash: string; readonly elapsedMs: number }[] = [];
  /** The group has forgotten everything and begun anew: it may, when a majority has lost its memory. */
  #begunAnew = false;

  /** Some things often, some never. */
  constructor(random: Random) {
    const usual: Partial<Record<Name, number>> = { open: 0.5, renew: 1, acquire: 3, release: 2, again: 1 };
    this.#weights = names.map((name) => [name, (usual[name] ?? 0.3) * (random.chance(0.8) ? random.next() : 0.05)] as const);
    this.#locks = ["a", "b", "c", "semaphore"].filter((_, at) => at === 0 || random.chance(0.6));
    this.#identified = random.pick([0, 0.5, 1]) ?? 0.5;
    this.#longest = random.pick([1, 5]) ?? 1;
  }

  makeMachine(): ReturnType<Workload["makeMachine"]> {
    return lockMachine as unknown as ReturnType<Workload["makeMachine"]>;
  }

  // What clients do.

  next(random: Random): Call {
    this.#calls++;
    const name = this.#sessions.length === 0 ? "open" : this.#choose(random);
    const { command, input } = this.#make(name, random);
    // A renewal that was answered is of the time when it was first sent: it is not to be tried again as the same.
    const identified = command !== "renewSessions" && random.chance(this.#identified);
    return { kind: "submit", name: command, input, requestId: identified ? `call ${this.#calls}` : undefined };
  }

  #choose(random: Random): Name {
    let at = random.next() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of this.#weights) {
      at -= weight;
      if (at < 0) return name;
    }
    return "acquire";
  }

  #make(name: Name, random: Random): { readonly command: string; readonly input: object } {
    const session = random.pick(this.#sessions.slice(-remembered)) ?? "none";
    switch (name) {
      case "open": return { command: "openSession", input: this.#session(random) };
      case "renew": return { command: "renewSessions", input: { sessions: random.shuffled(this.#sessions.slice(-remembered)).slice(0, random.between(1, 3)) } };
      case "close": return { command: "closeSession", input: { session, delayed: random.chance(0.3) } };
      case "acquire": return { command: "acquire", input: this.#acquire(session, random) };
      case "again": return this.#again(random) ?? this.#make("acquire", random);
      case "convert": return this.#convert(random) ?? this.#make("acquire", random);
      case "release": return this.#ofOne("release", random) ?? this.#make("acquire", random);
      case "cancel": return this.#ofOne("cancel", random) ?? this.#make("acquire", random);
      case "proclaim": return this.#ofOne("proclaim", random) ?? this.#make("acquire", random);
      case "force": return { command: "forceRelease", input: { lock: random.pick(this.#locks) ?? "a", reason: "test", by: "operator", ...(random.chance(0.5) ? { session } : {}) } };
      default: return name satisfies never;
    }
  }

  #session(random: Random): object {
    const ttlMs = random.pick([null, 2_000, 4_000, 4_000, 10_000]) ?? null;
    return { name: `session ${this.#calls}`, ttlMs, lockDelayMs: random.pick([0, 0, 1_000]) ?? 0, bound: random.chance(0.2), principal: null, behavior: "release" };
  }

  #acquire(session: string, random: Random): AcquireInput {
    this.#requests++;
    const locks = random.shuffled(this.#locks).slice(0, random.chance(0.7) ? 1 : 2);
    const wants = locks.map((lock): Want => lock === "semaphore" ? { lock, permits: random.between(1, semaphoreLimit), limit: semaphoreLimit } : { lock, mode: random.chance(0.4) ? "EX" : (random.pick(lockModes) ?? "PR") });
    const owner = random.chance(0.3) ? { owner: `task ${random.between(1, 2)}` } : {};
    const input: AcquireInput = { session, request: `request ${this.#requests}`, wants, waitMs: this.#wait(random), ...owner };
    this.#asked.push({ input, standing: "unknown" });
    return input;
  }

  #wait(random: Random): number | null {
    return random.pick([0, null, null, 500 * this.#longest, 2_000 * this.#longest]) ?? null;
  }

  #again(random: Random): { readonly command: string; readonly input: object } | undefined {
    const asked = random.pick(this.#asked.slice(-remembered));
    return asked === undefined ? undefined : { command: "acquire", input: asked.input };
  }

  #convert(random: Random): { readonly command: string; readonly input: object } | undefined {
    const held = random.pick(this.#asked.filter(({ standing }) => standing === "granted").slice(-remembered));
    if (held === undefined) return undefined;
    this.#requests++;
    const { session, request: grant, wants } = held.input;
    const mode = random.pick(lockModes) ?? "PR";
    const request = `request ${this.#requests}`;
    const [want] = wants;
    // It can be given back and converted as any other.
    this.#asked.push({ input: { session, request, wants: want === undefined ? [] : [{ lock: want.lock, mode }], waitMs: null }, standing: "unknown" });
    return { command: "convert", input: { session, request, grant, mode, waitMs: this.#wait(random), ...(random.chance(0.3) ? { valueBlock: "AA==" } : {}) } };
  }

  #ofOne(command: "release" | "cancel" | "proclaim", random: Random): { readonly command: string; readonly input: object } | undefined {
    const held = this.#asked.filter(({ standing }) => standing === "granted");
    const asked = random.chance(0.8) ? random.pick(held.slice(-remembered)) : random.pick(this.#asked.slice(-remembered));
    if (asked === undefined) return undefined;
    const { session, request } = asked.input;
    return { command, input: { session, request, ...(command === "proclaim" ? { value: `value ${this.#calls}` } : {}), ...(command === "release" && random.chance(0.2) ? { valueBlock: "AQ==" } : {}) } };
  }

  // What they and everybody else see.

  ended({ call, ending, result }: CallRecord): void {
    if (ending !== "answered" || call.kind !== "submit") return;
    if (call.name === "openSession") this.#sessions.push((result as OpenSessionResult).session);
    const { session, request } = call.input as { readonly session?: string; readonly request?: string };
    const state = result as Partial<RequestState> | null;
    const asked = this.#asked.find(({ input }) => input.session === session && input.request === request);
    if (asked !== undefined && typeof state === "object" && state?.status !== undefined) asked.standing = state.status;
  }

  applied(entry: AppliedEntry, hash: string, elapsedMs: number): void {
    const known = this.#entries[entry.position - 1];
    if (known === undefined && entry.position === this.#entries.length + 1) this.#entries.push({ entry, hash, elapsedMs });
    else if (known === undefined) throw new Violation("account", `position ${entry.position} was applied before ${this.#entries.length + 1}`);
    else if (known.hash !== hash) this.#begunAnew = true;
  }

  /** @throws Violation. */
  check(records: readonly CallRecord[], state: unknown): void {
    const { events } = state as LockState;
    if (this.#begunAnew) return;
    const ledger = new Ledger(events.values());
    for (const { entry } of this.#entries) ledger.enter(entry);
    checkEvents(events.values(), this.#wantsOf());
    const beliefs = new Beliefs(records);
    beliefs.checkExclusion();
    for (const event of events.values()) if (event.type === "session-ended" && event.reason === "expired") beliefs.checkExpiry(event.session, this.#entries[event.position - 1]?.elapsedMs ?? 0);
    checkRest(state as LockState);
  }

  /** From the log: also of calls that got no answer. */
  #wantsOf(): (session: string, request: string) => readonly Want[] {
    const wants = new Map<string, readonly Want[]>();
    const commands = this.#entries.flatMap(({ entry }) => entry.commands);
    for (const { call, outcome } of commands) {
      if (!outcome.ok) continue;
      const { session, request } = call.input as AcquireInput;
      const key = `${session} ${request}`;
      if (call.name === "acquire" && !wants.has(key)) wants.set(key, (call.input as AcquireInput).wants);
      if (call.name !== "convert" || wants.has(key)) continue;
      const { grant, mode } = call.input as ConvertInput;
      wants.set(key, (wants.get(`${session} ${grant}`) ?? []).map(({ lock }) => ({ lock, mode })));
    }
    return (session, request) => wants.get(`${session} ${request}`) ?? [];
  }
}

/** Who is first in a queue has a reason to wait. One that wants several locks may have it elsewhere: the account has looked at those. */
function checkRest(state: LockState): void {
  for (const [lock] of state.locks) {
    const view = lockView(state, lock);
    const first = view?.waiters[0];
    if (view === undefined || first === undefined || first.mode === "NL" || view.delayUntil !== null || isOfSeveral(state, first.session, first.request)) continue;
    const wantOf = ({ mode, permits }: { readonly mode: LockMode | null; readonly permits: number | null }): Want =>
      mode === null ? { lock, permits: permits ?? 0, limit: view.limit ?? 0 } : { lock, mode };
    const others = view.holders.filter(({ session, request }) => session !== first.session || request !== first.converting);
    if (goTogether([...others.map(wantOf), wantOf(first)])) throw new Violation("lost waiter", `${first.request} waits for ${lock}, and nobody is in its way`);
  }
}

function isOfSeveral(state: LockState, session: string, request: string): boolean {
  const number = state.sessions.get(session)?.number ?? 0;
  const row = state.requests.get([number, request]);
  return typeof row === "object" && "wants" in row && row.wants.length > 1;
}
