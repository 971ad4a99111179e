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

  find(answers: Table<number, Answer>, requestId: string): Answer | undefined {
    const number = this.#numbers.get(requestId);
    return number === undefined ? undefined : answers.get(number);
  }

  adopt({ given, dropped }: AnswerRun): void {
    for (const { requestId } of dropped) this.#numbers.delete(requestId);
    for (const [requestId, number] of given) this.#numbers.set(requestId, number);
  }
}

/** The answers while one entry is applied: sees its own, changes nothing outside until it is adopted. */
export class AnswerRun {
  readonly #index: AnswerIndex;
  readonly #maxRequests: number;
  /** A copy, made at the first answer: most entries of machines without request ids never need it. */
  #copy: Table<number, Answer> | undefined;
  readonly #base: Answers;
  #count: number;
  /** Numbers of the answers given in this entry. */
  readonly given = new Map<string, number>();
  readonly dropped: Answer[] = [];

  constructor(base: Answers, index: AnswerIndex, maxRequests: number) {
    this.#base = base;
    this.#count = base.answerCount;
    this.#index = index;
    this.#maxRequests = maxRequests;
  }

  find(requestId: string): Answer | undefined {
    const answers = this.#copy ?? this.#base.answers;
    const number = this.given.get(requestId);
    return number === undefined ? this.#index.find(answers, requestId) : answers.get(number);
  }

  /** Keeps an answer, and drops the oldest one beyond maxRequests: the same on every replica, whatever the batches. */
  add(requestId: string, command: string, outcome: CommandOutcome): void {
    this.#copy ??= new Table(this.#base.answers);
    this.#count++;
    this.#copy.set(this.#count, Object.freeze({ requestId, command, outcome: agreedPart(outcome) }));
    this.given.set(requestId, this.#count);
    while (this.#copy.size > this.#maxRequests) this.#dropOldest(this.#copy);
  }

  #dropOldest(answers: Table<number, Answer>): void {
    const [number, oldest] = answers.first() as [number, Answer];
    answers.delete(number);
    if (this.given.get(oldest.requestId) === number) this.given.delete(oldest.requestId);
    else this.dropped.push(oldest);
  }

  finish(): Answers {
    return { answers: this.#copy === undefined ? this.#base.answers : seal(this.#copy), answerCount: this.#count };
  }
}
