/**
 * Deadlocks: found when they arise, in the command that closes the circle. Parties (an owner within a session) hold; requests wait.
 *
 *   a request waits for the party of every holder that it does not go together with,
 *   and for every request before it in its queues: that it is granted, and, if they do not go together, for that one's party as well;
 *   a party waits for all of its requests that wait.
 *
 * A circle of that is a deadlock, unless it goes through permits: others may give back enough of them (stuck.ts).
 *
 * A circle can only arise with a request that comes to wait, or a conversion that is granted to one whom others wait for; so there is
 * none before the command, and the search starts there. It goes from each request once, and through each queue and the holders of each
 * lock once for each kind of wish: by the number of those that the newcomer depends on, at worst.
 */
import type { DeadlockLink, Refusal } from "./inputs.js";
import { whyOver, withdraw } from "./grants.js";
import { goTogether, type Lock, type Share } from "./lock.js";
import { before, partOf, shareOf } from "./queue.js";
import { queuePart, type Account, type RequestRow, type Waiter } from "./state.js";
import { Stuck } from "./stuck.js";
import type { Turn } from "./turn.js";

export interface PartyId {
  readonly session: number;
  readonly owner: string | null;
}

/** A request on the way of the search, and the one that waits for it. */
interface Step {
  readonly session: number;
  readonly request: string;
  readonly row: RequestRow;
  readonly from: Step | undefined;
  /** By which `from` waits for it. */
  readonly lock: string | undefined;
}

/** The last of a circle, and the lock by which it waits for the first. */
interface Closing {
  readonly last: Step;
  readonly lock: string;
}

/**
 * Refuses the youngest of every circle that has come about through this party: it has a new request that waits, or (`granted`) a
 * grant that more wait for than before.
 * @returns whether `request` was refused.
 */
export function resolveDeadlocks(turn: Turn, party: PartyId, request: string, { granted = false } = {}): boolean {
  for (;;) {
    const row = turn.request(party.session, request);
    if (row === undefined || (!granted && row.status !== "waiting")) return row?.status === "refused";
    if (!granted && nobodyWaitsFor(turn, party.session, row)) return false;
    const circle = findCircle(turn, party, undefined) ?? (row.converts === null || granted ? undefined : findCircle(turn, party, row.seq));
    if (circle === undefined) return false;
    refuseYoungest(turn, circle);
  }
}

/** `conversion`: rather than from the party back to it, from this request of it. */
function findCircle(turn: Turn, party: PartyId, conversion: number | undefined): DeadlockCircle | undefined {
  const circle = new Search(turn, party, conversion, undefined).run();
  if (circle === undefined || !circle.links.some(({ lock }) => turn.usedLock(lock).limit !== null)) return circle;
  const stuck = new Stuck(turn, new Search(turn, party, conversion, undefined).all());
  return stuck.hasParty(party.session, party.owner) ? new Search(turn, party, conversion, stuck).run() : undefined;
}

/** Usual, and soon seen: all else that it has is not wanted by anybody. Only an answer for parties with little. */
function nobodyWaitsFor(turn: Turn, session: number, row: RequestRow): boolean {
  if (row.converts !== null) return false;
  const account = turn.draft.requests.get([session, 0]) as Account | undefined;
  const live = account?.live ?? 0;
  if (live <= 1) return true;
  if (live > lookedAt) return false;
  const own = new Set(row.wants.map(({ lock }) => lock));
  for (const [[, request], other] of turn.draft.requests.entries({ prefix: [session], from: [session, ""] })) {
    if (typeof other !== "object" || !("wants" in other) || other.status === "refused" || request === undefined || other.seq === row.seq || other.owner !== row.owner) continue;
    if (other.wants.some(({ lock }) => own.has(lock) || turn.usedLock(lock).waiting > 0)) return false;
  }
  return true;
}

const lookedAt = 64;

/** From a party back to it; or from one conversion back to it, through those who wait only for its being granted. */
class Search {
  readonly #turn: Turn;
  readonly #party: PartyId;
  readonly #conversion: number | undefined;
  /** If it is known: the others are as good as gone. */
  readonly #stuck: Stuck | undefined;
  #everything = false;
  readonly #steps: Step[] = [];
  readonly #seen = new Set<number>();
  readonly #parties = new Set<string>();
  /** Locks and wishes whose holders have been looked at; queues, and up to where they have been gone through. */
  readonly #holders = new Set<string>();
  readonly #queues = new Map<string, number>();
  /** By session: those that wait, by owner. A session can have as many parties as requests. */
  readonly #waiting = new Map<number, ReadonlyMap<string | null, readonly { readonly seq: number; readonly request: string }[]>>();

  constructor(turn: Turn, party: PartyId, conversion: number | undefined, stuck: Stuck | undefined) {
    this.#turn = turn;
    this.#stuck = stuck;
    this.#party = party;
    this.#conversion = conversion;
  }

  /** @returns the requests of a circle: each waits for the next, by the lock that is given with it. */
  run(): DeadlockCircle | undefined {
    if (this.#conversion === undefined) this.#parties.add(keyOf(this.#party));
    this.#addRequestsOf(this.#party, undefined, undefined);
    for (let at = 0; at < this.#steps.length; at++) {
      const closing = this.#goOn(this.#steps[at] as Step);
      if (closing !== undefined) return circleOf(closing);
    }
    return undefined;
  }

  /** All requests that the party depends on. */
  all(): readonly Step[] {
    this.#everything = true;
    this.run();
    return this.#steps;
  }

  #goOn(step: Step): Closing | undefined {
    for (const want of step.row.wants) {
      const share = shareOf(want);
      const part = partOf(step.row, share);
      const lock = this.#turn.usedLock(want.lock);
      if (part === queuePart.place) continue;
      const closing = this.#throughHolders(step, lock, share) ?? this.#throughQueue(step, lock, share, part);
      if (closing !== undefined) return closing;
    }
    return undefined;
  }

  #throughHolders(step: Step, lock: Lock, share: Share): Closing | undefined {
    // A conversion does not wait for the grant that it converts: its way is its own.
    const key = `${lock.number} ${share.mode ?? ""} ${step.row.converts === null ? "" : step.row.seq}`;
    if (this.#holders.has(key)) return undefined;
    this.#holders.add(key);
    for (const holder of lock.holders()) {
      if (!lock.isInTheWay(holder, share) || (holder.session === step.session && holder.request === step.row.converts)) continue;
      const row = this.#turn.request(holder.session, holder.request);
      if (row === undefined) throw new Error(`${holder.request} holds ${lock.name}, and is not there`);
      const closing = this.#toParty({ session: holder.session, owner: row.owner }, step, lock);
      if (closing !== undefined) return closing;
    }
    return undefined;
  }

  #throughQueue(step: Step, lock: Lock, share: Share, part: typeof queuePart.conversion | typeof queuePart.request): Closing | undefined {
    // Whoever has gone through more of the queue with the same wish has seen all of this.
    const key = `${lock.number} ${part} ${share.mode ?? share.permits}`;
    const through = this.#queues.get(key) ?? 0;
    if (through >= step.row.seq) return undefined;
    this.#queues.set(key, step.row.seq);
    for (const [[, , seq], waiter] of before(this.#turn.draft, lock.number, part, step.row.seq)) {
      const closing = this.#throughWaiter(step, lock, share, seq, waiter);
      if (closing !== undefined) return closing;
    }
    return undefined;
  }

  #throughWaiter(step: Step, lock: Lock, share: Share, seq: number, waiter: Waiter): Closing | undefined {
    if (seq === this.#conversion && !this.#everything) return { last: step, lock: lock.name };
    const next = this.#seen.has(seq) || this.#stuck?.has(seq) === false ? undefined : this.#add(waiter.session, waiter.request, step, lock.name);
    if (together(lock, waiter, share) || (this.#parties.has(keyOf(waiter)) && !this.#isGoal(waiter))) return undefined;
    // Its party has to give it back after it has got it: the way goes through it.
    return this.#toParty(waiter, next ?? this.#stepOf(waiter, step, lock.name), lock);
  }

  #toParty(party: PartyId, from: Step, lock: Lock): Closing | undefined {
    if (this.#isGoal(party)) return { last: from, lock: lock.name };
    if (this.#parties.has(keyOf(party)) || this.#stuck?.hasParty(party.session, party.owner) === false) return undefined;
    this.#parties.add(keyOf(party));
    this.#addRequestsOf(party, from, lock.name);
    return undefined;
  }

  #isGoal({ session, owner }: PartyId): boolean {
    return !this.#everything && this.#conversion === undefined && session === this.#party.session && owner === this.#party.owner;
  }

  #addRequestsOf({ session, owner }: PartyId, from: Step | undefined, lock: string | undefined): void {
    for (const { seq, request } of this.#waitingOf(session).get(owner) ?? []) {
      if (this.#seen.has(seq) || this.#stuck?.has(seq) === false) continue;
      if (from === undefined && this.#conversion !== undefined && seq !== this.#conversion && !this.#everything) continue;
      this.#add(session, request, from, lock);
    }
  }

  #waitingOf(session: number): ReadonlyMap<string | null, readonly { readonly seq: number; readonly request: string }[]> {
    const known = this.#waiting.get(session);
    if (known !== undefined) return known;
    const byOwner = new Map<string | null, { readonly seq: number; readonly request: string }[]>();
    for (const [[, seq], request] of this.#turn.draft.waiting.entries({ prefix: [session] })) {
      const row = this.#turn.request(session, request);
      // Of a session that is over, nothing waits any more.
      if (row === undefined || whyOver(this.#turn, row) !== undefined) continue;
      const ofOwner = byOwner.get(row.owner);
      if (ofOwner === undefined) byOwner.set(row.owner, [{ seq, request }]);
      else ofOwner.push({ seq, request });
    }
    this.#waiting.set(session, byOwner);
    return byOwner;
  }

  #add(session: number, request: string, from: Step | undefined, lock: string | undefined): Step {
    const step = this.#stepOf({ session, request }, from, lock);
    this.#seen.add(step.row.seq);
    this.#steps.push(step);
    return step;
  }

  #stepOf({ session, request }: { readonly session: number; readonly request: string }, from: Step | undefined, lock: string | undefined): Step {
    const row = this.#turn.request(session, request);
    if (row === undefined) throw new Error(`${request} waits, and is not there`);
    return { session, request, row, from, lock };
  }
}

function keyOf({ session, owner }: PartyId): string {
  return owner === null ? String(session) : `${session} ${owner}`;
}

/** Two that wait for one lock. Of permits, what others have counts as well: stuck.ts sees to that. */
function together({ limit }: Lock, a: Share, b: Share): boolean {
  return limit === null && goTogether(a, b);
}

interface DeadlockCircle {
  readonly links: readonly DeadlockLink[];
  readonly youngest: Step;
}

function circleOf({ last, lock }: Closing): DeadlockCircle {
  const links: DeadlockLink[] = [];
  let youngest = last;
  let by = lock;
  for (let step: Step | undefined = last; step !== undefined; step = step.from) {
    links.unshift({ session: step.row.session, owner: step.row.owner, request: step.request, lock: by });
    if (step.row.seq > youngest.row.seq) youngest = step;
    by = step.lock ?? by;
  }
  return { links, youngest };
}

function refuseYoungest(turn: Turn, { links, youngest: { session, request, row } }: DeadlockCircle): void {
  const refusal: Refusal = { code: "DEADLOCK", cycle: links };
  withdraw(turn, session, request, row, refusal);
}
