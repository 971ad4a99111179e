/**
 * The invariants of docs/protocol.md, checked from outside on everything that every replica does. They know nothing of
 * the faults; `forgotten` tells them when a majority has lost its memory, which is the only excuse for a new history.
 */
import type { CoreEvent, Effect } from "../../src/core/events.js";
import { compareBallots, formatBallot, type Ballot } from "../../src/core/ballot.js";
import { formatPoint } from "../../src/testing/format.js";
import type { EntryRecord, LogPoint } from "../../src/log/log.js";
import type { Ending, Observer, SimReplica } from "./sim-replica.js";

export class Violation extends Error {
  override readonly name = "Violation";
}

function violated(what: string): never {
  throw new Violation(what);
}

interface Agreed {
  readonly hash: string;
  readonly entry: string;
}

/** A primary view, and the highest position that anybody has seen committed in it. */
interface SeenView {
  readonly ballot: Ballot;
  readonly target: LogPoint;
  readonly members: string;
  committed: number;
}

export class Checkers implements Observer {
  /** What is applied at each position, by the first who applied it. */
  readonly #agreed: (Agreed | undefined)[] = [];
  readonly #took = new Map<string, number>();
  readonly #verified = new Map<string, string>();
  readonly #views = new Map<string, SeenView>();
  readonly #endings = new Map<string, Ending>();
  readonly #lastVerified = new WeakMap<SimReplica, string>();
  readonly #appliedTo = new WeakMap<SimReplica, number>();
  answered = 0;
  commits = 0;
  snapshots = 0;

  stepped(replica: SimReplica, _event: CoreEvent): void {
    const { core } = replica;
    const claim = `${formatBallot(core.ballot)}|${core.verified}`;
    if (this.#lastVerified.get(replica) === claim) return;
    this.#lastVerified.set(replica, claim);
    const hash = core.log.hashAt(core.verified) ?? violated(`${replica.name} verified position ${core.verified}, which its log does not hold`);
    const known = this.#verified.get(claim);
    if (known === undefined) this.#verified.set(claim, hash);
    else if (known !== hash) violated(`invariant 7: ${replica.name} verified ${hash.slice(0, 6)} at ${claim}, where another verified ${known.slice(0, 6)}`);
  }

  effect(replica: SimReplica, effect: Effect): void {
    if (effect.type === "viewInstalled") this.#viewInstalled(replica, effect.ballot);
    else if (effect.type === "committed") this.#committed(replica, effect.through);
    else if (effect.type === "adoptState") this.snapshots++;
    else if (effect.type === "stop" && effect.error.code !== "SLOT_TAKEN") violated(`${replica.name} stopped: ${effect.error.code} ${effect.error.message}`);
  }

  #viewInstalled(replica: SimReplica, ballot: Ballot): void {
    const { view } = replica.core;
    // The replica stops in the same step.
    if (view === undefined) return;
    const members = view.members.map(({ slot, incarnation }) => `${slot}/${incarnation}`).join();
    const known = this.#views.get(formatBallot(ballot));
    if (known !== undefined) {
      if (known.target.hash !== view.target.hash || known.target.position !== view.target.position || known.members !== members) {
        violated(`ballot ${formatBallot(ballot)} was decided twice: with ${formatPoint(known.target)} for ${known.members}, and with ${formatPoint(view.target)} for ${members}`);
      }
      return;
    }
    const seen = { ballot, target: view.target, members, committed: 0 };
    this.#views.set(formatBallot(ballot), seen);
    for (const other of this.#views.values()) checkOrder(other, seen);
    const agreed = this.#agreed[view.target.position];
    if (agreed !== undefined && agreed.hash !== view.target.hash) violated(`invariant 2: the target ${formatPoint(view.target)} of ballot ${formatBallot(ballot)} is not what was applied there (${agreed.hash.slice(0, 6)})`);
  }

  #committed(replica: SimReplica, through: number): void {
    this.commits++;
    const { view } = replica.core;
    if (view === undefined) violated(`invariant 3: ${replica.name} commits outside a view`);
    const seen = this.#views.get(formatBallot(view.ballot));
    if (seen === undefined) violated(`${replica.name} commits in ballot ${formatBallot(view.ballot)}, which nobody installed`);
    if (through <= seen.committed) return;
    seen.committed = through;
    for (const other of this.#views.values()) checkOrder(seen, other);
  }

  applied(replica: SimReplica, position: number, hash: string, record: EntryRecord, took: boolean): void {
    const last = this.#appliedTo.get(replica) ?? 0;
    if (position <= last) violated(`invariant 6: ${replica.name} applied ${position} after ${last}`);
    this.#appliedTo.set(replica, position);
    const entry = `${record.incarnation}/${record.n}`;
    const known = this.#agreed[position];
    if (known === undefined) this.#agreed[position] = { hash, entry };
    else if (known.hash !== hash) violated(`invariant 1: ${replica.name} applied ${entry} (${hash.slice(0, 6)}) at ${position}, where another applied ${known.entry} (${known.hash.slice(0, 6)})`);
    if (!took) return;
    const before = this.#took.get(entry);
    if (before !== undefined && before !== position) violated(`invariant 4: ${entry} took effect at ${before} and at ${position} (${replica.name})`);
    this.#took.set(entry, position);
  }

  ended(replica: SimReplica, n: number, ending: Ending): void {
    const entry = `${replica.core.config.incarnation}/${n}`;
    const known = this.#endings.get(entry);
    // A caller that gave up early may still be followed by a certain end of the entry.
    if (known !== undefined && known !== "abandoned") violated(`${entry} ended twice: ${known}, then ${ending}`);
    if (ending === "withdrawn") violated(`${entry} was withdrawn while somebody waited for it`);
    this.#endings.set(entry, ending);
    if (ending === "answered") this.answered++;
  }

  /** What was answered took effect. */
  atTheEnd(): void {
    for (const [entry, ending] of this.#endings) {
      if (ending === "answered" && !this.#took.has(entry)) violated(`${entry} was answered and never took effect`);
    }
  }
}

/** Invariants 2 and 3: what was committed in the lower ballot is in the log that the higher one starts from. */
function checkOrder(a: SeenView, b: SeenView): void {
  const [lower, higher] = compareBallots(a.ballot, b.ballot) < 0 ? [a, b] : [b, a];
  if (lower === higher || lower.committed <= higher.target.position) return;
  violated(`invariant 2: position ${lower.committed} is committed in ballot ${formatBallot(lower.ballot)}; ballot ${formatBallot(higher.ballot)} starts from ${formatPoint(higher.target)}`);
}
