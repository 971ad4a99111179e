/**
 * Who follows the group's commands: the iterator that an application holds. No generator, because that one would take a return() only
 * after the next() that waits, and begin only with the first next().
 */
import type { ReplicaEvent } from "../replica-api.js";
import { checkSignal } from "../signals.js";

/** What it reads. */
export interface EventSource {
  /** Of the entry at this position; undefined while there is none, "ended" if there will be none. @throws EVENTS_TRIMMED, INVALID_INPUT, or what ended it. */
  eventsAt(position: number): Iterator<ReplicaEvent> | "ended" | undefined;
  /** Calls back once, when eventsAt() may answer otherwise. Returns a function that ends it. */
  onChange(listener: () => void): () => void;
}

/** A call of next() that waits. */
interface Call {
  readonly resolve: (result: IteratorResult<ReplicaEvent, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const finished = { value: undefined, done: true } as const;

export class EventReader implements AsyncIterableIterator<ReplicaEvent, undefined, undefined> {
  readonly #source: EventSource;
  readonly #signal: AbortSignal | undefined;
  /** Of the entry after the one that is being read. */
  #position: number;
  #entry: Iterator<ReplicaEvent> | undefined;
  #ended = false;
  #calls: Call[] = [];
  #stopListening: (() => void) | undefined;

  constructor(source: EventSource, from: number, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#position = from;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<ReplicaEvent, undefined>> {
    return new Promise((resolve, reject) => {
      checkSignal(this.#signal);
      this.#calls.push({ resolve, reject });
      this.#answer();
    });
  }

  /** Ends every next() that waits, too. */
  return(): Promise<IteratorResult<ReplicaEvent, undefined>> {
    this.#end();
    return Promise.resolve(finished);
  }

  /** Calls are answered in their order, as far as there are events. */
  #answer(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
    while (this.#calls.length > 0) {
      const event = this.#take();
      if (event === undefined) {
        this.#listen();
        return;
      }
      if (event === "ended") this.#end();
      else this.#calls.shift()?.resolve({ value: event, done: false });
    }
  }

  #take(): ReplicaEvent | "ended" | undefined {
    if (this.#ended || this.#signal?.aborted === true) return "ended";
    try {
      for (;;) {
        const found = this.#entry?.next();
        if (found !== undefined && found.done !== true) return found.value;
        const entry = this.#source.eventsAt(this.#position);
        if (entry === undefined || entry === "ended") return entry;
        this.#entry = entry;
        this.#position++;
      }
    } catch (error) {
      this.#calls.shift()?.reject(error);
      return "ended";
    }
  }

  #listen(): void {
    const wake = (): void => { this.#answer(); };
    const stop = this.#source.onChange(wake);
    this.#signal?.addEventListener("abort", wake, { once: true });
    this.#stopListening = () => {
      stop();
      this.#signal?.removeEventListener("abort", wake);
    };
  }

  #end(): void {
    this.#ended = true;
    this.#entry = undefined;
    this.#stopListening?.();
    this.#stopListening = undefined;
    const calls = this.#calls;
    this.#calls = [];
    for (const { resolve } of calls) resolve(finished);
  }
}
