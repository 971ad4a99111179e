/**
 * Answered requests: what makes a retry with the same request id return the first answer. The answers are replicated; the
 * index from request id to answer is not: it follows from them.
 */
import { seal } from "../machine/seal.js";
import { Table } from "../machine/table.js";
import { agreedPart, type AgreedOutcome } from "./outcomes.js";
import type { CommandOutcome } from "./types.js";

export interface Answer {
  readonly requestId: string;
  readonly command: string;
  readonly outcome: AgreedOutcome;
}

export interface Answers {
  readonly answers: Table<number, Answer>;
  readonly answerCount: number;
}

/** Answers by request id. One writer; entries are added when an entry's outcome is adopted. */
export class AnswerIndex {
  readonly #numbers = new Map<string, number>();

  constructor(answers: Table<number, Answer>) {
    for (const [number, { requestId }] of answers) this.#numbers.set(requestId, number);
  }

  numberOf(requestId: string): number | undefined {
    return this.#numbers.get(requestId);
  }

  /** Takes over what an entry gave and dropped; an id that was dropped may have been given again since. */
  adopt({ given, dropped }: AnswerRun): void {
    for (const [requestId, number] of given) this.#numbers.set(requestId, number);
    for (const [number, { requestId }] of dropped) if (this.#numbers.get(requestId) === number) this.#numbers.delete(requestId);
  }
}

/**
 * The answers while one entry is applied: sees its own, changes nothing outside until it is adopted. The newest
 * maxRequests answers count, at every command: that older ones are only taken away at the entry's end does not show.
 */
export class AnswerRun {
  readonly #index: AnswerIndex;
  readonly #maxRequests: number;
  /** A copy, made at the first answer: most entries of machines without request ids never need it. */
  #copy: Table<number, Answer> | undefined;
  readonly #base: Answers;
  #count: number;
  /** Numbers of the answers given in this entry. */
  readonly given = new Map<string, number>();
  /** Set by finish(). */
  dropped: readonly [number, Answer][] = [];

  constructor(base: Answers, index: AnswerIndex, maxRequests: number) {
    this.#base = base;
    this.#count = base.answerCount;
    this.#index = index;
    this.#maxRequests = maxRequests;
  }

  find(requestId: string): Answer | undefined {
    const number = this.given.get(requestId) ?? this.#index.numberOf(requestId);
    return number === undefined || number < this.#oldest() ? undefined : (this.#copy ?? this.#base.answers).get(number);
  }

  add(requestId: string, command: string, outcome: CommandOutcome): void {
    this.#copy ??= new Table(this.#base.answers);
    this.#count++;
    this.#copy.set(this.#count, Object.freeze({ requestId, command, outcome: agreedPart(outcome) }));
    this.given.set(requestId, this.#count);
  }

  finish(): Answers {
    if (this.#copy === undefined) return { answers: this.#base.answers, answerCount: this.#count };
    this.dropped = [...this.#copy.entries({ before: this.#oldest() })];
    if (this.dropped.length > 0) this.#copy.deleteBefore(this.#oldest());
    return { answers: seal(this.#copy), answerCount: this.#count };
  }

  /** The number of the oldest answer that counts. */
  #oldest(): number {
    return this.#count - this.#maxRequests + 1;
  }
}
