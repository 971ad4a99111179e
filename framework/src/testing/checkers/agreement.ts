/** Invariants 1, 4 and 6: everybody applies the same entries in the same order, each once, and gets the same state from them. */
import type { AppliedEntry } from "../../apply/types.js";
import { encodePart } from "../../codec/values.js";
import { canonical } from "../../apply/canonical.js";
import { compareBallots, type Ballot } from "../../core/ballot.js";
import type { LogEntry } from "../../log/log.js";
import { Table } from "../../machine/table.js";
import { violated } from "./violation.js";

interface Agreed {
  readonly hash: string;
  readonly entry: string;
  /** Of the first who applied it. */
  readonly ballot: Ballot;
  /** What the entry did: times and outcomes. */
  readonly effects: string;
}

export class AgreementChecker {
  /** What is applied at each position, by the first who applied it. */
  readonly #agreed: (Agreed | undefined)[] = [];
  /** State digests by position, by the first who computed one there. */
  readonly #digests = new Map<number, string>();
  readonly #took = new Map<string, number>();
  readonly #appliedTo = new WeakMap<object, number>();
  applied = 0;

  /** `process`: who applies, for as long as it lives. */
  entryApplied(process: object, who: string, ballot: Ballot, position: number, { hash, record }: LogEntry, applied: AppliedEntry): void {
    this.applied++;
    const last = this.#appliedTo.get(process) ?? 0;
    if (position <= last) violated("invariant 6", `${who} applied ${position} after ${last}`);
    this.#appliedTo.set(process, position);
    const entry = `${record.incarnation}/${record.n}`;
    const effects = effectsOf(applied);
    const known = this.#agreed[position];
    if (known === undefined) this.#agreed[position] = { hash, entry, ballot, effects };
    else if (known.hash !== hash) violated("invariant 1", `${who} applied ${entry} (${hash.slice(0, 6)}) at ${position}, where another applied ${known.entry} (${known.hash.slice(0, 6)})`);
    else if (known.effects !== effects) violated("invariant 1", `${who} got another outcome from the entry at ${position} than another replica: is a handler not deterministic?\n  ${effects}\n  ${known.effects}`);
    if (applied.skipped) return;
    const before = this.#took.get(entry);
    if (before !== undefined && before !== position) violated("invariant 4", `${entry} took effect at ${before} and at ${position} (${who})`);
    this.#took.set(entry, position);
  }

  /** The target of a view is what was applied there in earlier ballots. A view that is over may be installed late, by somebody who slept. */
  target(who: string, ballot: Ballot, position: number, hash: string): void {
    const known = this.#agreed[position];
    if (known === undefined || compareBallots(known.ballot, ballot) >= 0) return;
    if (known.hash !== hash) violated("invariant 2", `the target ${position}#${hash.slice(0, 6)} of ${who}'s view is not what was applied there (${known.hash.slice(0, 6)})`);
  }

  /** All of the replicated state at a position. */
  state(who: string, position: number, digest: string): void {
    const known = this.#digests.get(position);
    if (known === undefined) this.#digests.set(position, digest);
    else if (known !== digest) violated("invariant 1", `${who}'s state at ${position} is not what another replica had there: is a handler not deterministic?`);
  }
}

function effectsOf({ now, skipped, commands, fired }: AppliedEntry): string {
  const outcomes = [...fired, ...commands].map(({ outcome, repeated }) => [outcome.ok, outcome.ok ? outcome.result : outcome.code, repeated]);
  return `${now} ${skipped} ${textOf(outcomes)}`;
}

/** Results may hold Tables: in the place of each stands what is in it. */
function textOf(value: unknown): string {
  const bytes = encodePart(canonical(value), (part) => (part instanceof Table ? textOf(Array.from(part)) : undefined));
  return Buffer.from(bytes).toString("base64");
}
