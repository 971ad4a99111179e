/**
 * The last applied entries, for those who follow the group's commands: resumable, bounded, never blocking the apply side. All but the newest are
 * kept as bytes and decoded again for who comes that late: hundreds of thousands of inputs as objects would keep the garbage collector busy.
 */
import { checkCallOptions } from "../call-options.js";
import { decodeEntry } from "../codec/entry-codec.js";
import { LockstepError, invariant } from "../errors.js";
import type { Limits } from "../limits.js";
import { seal } from "../machine/seal.js";
import type { ReplicaEvent } from "../replica-api.js";
import { EventReader, type EventSource } from "./event-reader.js";
import { isRecord } from "./operations.js";
import type { AppliedCommand, AppliedEntry, CommandOutcome } from "./types.js";

/** The newest are kept as they were applied: who follows closely gets these. */
const recentEntries = 64;

interface Held {
  bytes: Uint8Array;
  entry: AppliedEntry | Condensed;
}

/** An applied entry without what its bytes tell. */
interface Condensed extends Pick<AppliedEntry, "position" | "origin" | "now" | "fired"> {
  /** Of its commands; "repeated" for a request that was answered before. */
  readonly outcomes: readonly (CommandOutcome | "repeated")[];
}

export interface EventOptions {
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const optionNames: Readonly<Record<keyof EventOptions, true>> = { from: true, signal: true };

export class EventLog implements EventSource {
  readonly #limits: Pick<Limits, "eventEntries" | "eventBytes">;
  #entries: Held[] = [];
  /** Of the entries. Outcomes and inputs of timers are not counted: to know their size would mean to encode them. */
  #bytes = 0;
  /** Events at or below this position are not held. */
  #trimmedThrough = 0;
  #position = 0;
  #closed: Error | "closed" | undefined;
  readonly #wakers = new Set<() => void>();

  constructor(limits: Pick<Limits, "eventEntries" | "eventBytes">) {
    this.#limits = limits;
  }

  /** @param bytes What was applied: codec/entry-codec.ts. */
  append(entry: AppliedEntry, bytes: Uint8Array): void {
    this.#position = entry.position;
    this.#entries.push({ bytes, entry });
    const older = this.#entries.at(-1 - recentEntries);
    if (older !== undefined) condense(older);
    this.#bytes += bytes.byteLength;
    this.#trim();
    this.#wake();
  }

  /** Drops the oldest, half of what may be kept at a time: each entry is moved once or so. The newest stays, whatever its size. */
  #trim(): void {
    const { eventEntries, eventBytes } = this.#limits;
    const mostEntries = this.#entries.length > 2 * eventEntries ? eventEntries : Number.POSITIVE_INFINITY;
    const mostBytes = this.#bytes > eventBytes ? eventBytes / 2 : Number.POSITIVE_INFINITY;
    let dropped = 0;
    for (const { bytes } of this.#entries) {
      const left = this.#entries.length - dropped;
      if (left === 1 || (left <= mostEntries && this.#bytes <= mostBytes)) break;
      this.#bytes -= bytes.byteLength;
      dropped++;
    }
    if (dropped === 0) return;
    this.#entries = this.#entries.slice(dropped);
    this.#trimmedThrough = (this.#entries[0]?.entry.position ?? 1) - 1;
  }

  /** A snapshot took the place of the entries up to this position. */
  skipTo(position: number): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#position = position;
    this.#trimmedThrough = position;
    this.#wake();
  }

  close(error: Error | undefined): void {
    this.#closed = error ?? "closed";
    this.#wake();
  }

  #wake(): void {
    if (this.#wakers.size === 0) return;
    const wakers = Array.from(this.#wakers);
    this.#wakers.clear();
    for (const wake of wakers) wake();
  }

  /**
   * Without `from`: what is applied after this call.
   * @returns Whose next() rejects with EVENTS_TRIMMED, at the start or when the reader falls behind; with INVALID_INPUT if there is no such position, or other options are given.
   */
  follow(options: EventOptions = {}): EventReader {
    try {
      checkCallOptions(options, optionNames, "events()");
    } catch (error) {
      return new EventReader({ eventsAt: () => { throw error; }, onChange: () => () => undefined }, 1, undefined);
    }
    const { from = this.#position + 1, signal } = options;
    return new EventReader(this, from, signal);
  }

  eventsAt(position: number): Iterator<ReplicaEvent> | "ended" | undefined {
    if (!Number.isSafeInteger(position) || position < 1) throw new LockstepError("INVALID_INPUT", `events from position ${String(position)} on: positions are whole numbers from 1 on`);
    if (position <= this.#trimmedThrough) {
      throw new LockstepError("EVENTS_TRIMMED", `events from position ${position} on are not held any more, only those after ${this.#trimmedThrough}: read the state, then follow from replica.inspect().positions.applied + 1`);
    }
    const held = this.#heldAt(position);
    if (held !== undefined) return eventsOf(held);
    if (this.#closed instanceof Error) throw this.#closed;
    return this.#closed === undefined ? undefined : "ended";
  }

  onChange(listener: () => void): () => void {
    this.#wakers.add(listener);
    return () => { this.#wakers.delete(listener); };
  }

  #heldAt(position: number): Held | undefined {
    const first = this.#entries[0]?.entry.position;
    return first === undefined ? undefined : this.#entries[position - first];
  }
}

function condense(held: Held): void {
  if ("outcomes" in held.entry) return;
  const { position, origin, now, fired, commands } = held.entry;
  held.entry = { position, origin, now, fired, outcomes: commands.map(({ outcome, repeated }) => (repeated ? "repeated" : outcome)) };
  held.bytes = withoutSurroundings(held.bytes);
}

/** As a view of what was delivered together with it, a small entry would keep large ones, long after the log has forgotten them. */
function withoutSurroundings(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength <= 2 * bytes.byteLength ? bytes : new Uint8Array(bytes);
}

interface Happened extends Pick<AppliedCommand, "call"> {
  readonly outcome: CommandOutcome | "repeated";
}

function happened({ call, outcome, repeated }: AppliedCommand): Happened {
  return { call, outcome: repeated ? "repeated" : outcome };
}

/** Of an entry that was a second copy, or could not be decoded, none was applied. */
function commandsOf({ entry, bytes }: Held): readonly Happened[] {
  if ("commands" in entry) return entry.commands.map(happened);
  if (entry.outcomes.length === 0) return [];
  const calls = decodeEntry(bytes).commands;
  return entry.outcomes.map((outcome, index) => {
    const call = calls[index];
    invariant(call !== undefined, `the entry at ${entry.position} is as it was applied`);
    return outcome === "repeated" ? { call, outcome } : { call: { ...call, input: seal(call.input) }, outcome };
  });
}

/** A repeated request took effect when it came first: it has no second event, but keeps its index, as every replica counts it. */
function* eventsOf(held: Held): Generator<ReplicaEvent> {
  const { entry } = held;
  let next = 0;
  for (const [origin, commands] of [[undefined, entry.fired.map(happened)], [entry.origin, commandsOf(held)]] as const) {
    for (const { call, outcome } of commands) {
      if (isRecord(call)) continue;
      const index = next++;
      if (outcome !== "repeated") yield { position: entry.position, index, command: call.name, input: call.input, outcome, origin, now: entry.now };
    }
  }
}
