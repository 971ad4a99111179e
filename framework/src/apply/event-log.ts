/** The last applied entries, for those who follow the group's commands: resumable, bounded, never blocking the apply side. */
import { LockstepError } from "../errors.js";
import type { ReplicaEvent } from "../replica-api.js";
import { isRecord } from "./operations.js";
import type { AppliedEntry } from "./types.js";

export class EventLog {
  readonly #limitEntries: number;
  #entries: AppliedEntry[] = [];
  /** Events at or below this position are not held. */
  #trimmedThrough = 0;
  #position = 0;
  #closed: Error | "closed" | undefined;
  readonly #wakers = new Set<() => void>();

  constructor(limitEntries: number) {
    this.#limitEntries = limitEntries;
  }

  append(entry: AppliedEntry): void {
    this.#position = entry.position;
    this.#entries.push(entry);
    if (this.#entries.length > 2 * this.#limitEntries) {
      this.#entries = this.#entries.slice(-this.#limitEntries);
      this.#trimmedThrough = (this.#entries[0]?.position ?? 1) - 1;
    }
    this.#wake();
  }

  /** A snapshot took the place of the entries up to this position. */
  skipTo(position: number): void {
    this.#entries = [];
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

  /** @throws LockstepError EVENTS_TRIMMED, at the start or when the reader falls behind. */
  async *follow(from: number | undefined, signal: AbortSignal | undefined): AsyncGenerator<ReplicaEvent, void, undefined> {
    let next = from ?? this.#position + 1;
    while (signal?.aborted !== true) {
      if (next <= this.#trimmedThrough) {
        throw new LockstepError("EVENTS_TRIMMED", `events from position ${next} on are not held any more, only those after ${this.#trimmedThrough}: read the state, then follow from replica.inspect().positions.applied + 1`);
      }
      const entry = this.#entryAt(next);
      if (entry === undefined) {
        if (this.#closed instanceof Error) throw this.#closed;
        if (this.#closed === "closed") return;
        await this.#nextChange(signal);
        continue;
      }
      yield* eventsOf(entry);
      next++;
    }
  }

  #entryAt(position: number): AppliedEntry | undefined {
    const first = this.#entries[0]?.position;
    return first === undefined ? undefined : this.#entries[position - first];
  }

  #nextChange(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener("abort", wake);
        this.#wakers.delete(wake);
        resolve();
      };
      this.#wakers.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }
}

function* eventsOf(entry: AppliedEntry): Generator<ReplicaEvent> {
  let index = 0;
  for (const [origin, commands] of [[undefined, entry.fired], [entry.origin, entry.commands]] as const) {
    for (const { call, outcome } of commands) {
      if (isRecord(call)) continue;
      yield { position: entry.position, index: index++, command: call.name, input: call.input, outcome, origin, now: entry.now };
    }
  }
}
