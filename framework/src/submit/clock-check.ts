/**
 * Asks the others for the time before this replica stamps commands with it. What it has been told in an exchange is as old as the
 * exchange is long, and as this process was stopped in the midst of it; a lease that begins in the past ends early. An answer to a
 * question is not older than the question: what was submitted before it may go. When one came quickly, all may.
 *
 * Later it asks now and then: clocks differ, and in a group that does nothing no entry tells.
 */
import type { ClusterClock } from "../apply/cluster-clock.js";
import { equalBallots, type Ballot } from "../core/ballot.js";
import type { AskTimeMessage, TellTimeMessage } from "../core/messages.js";

/** Much shorter than what holders of leases keep in reserve, much longer than a message takes on a ring that is well. */
const quickMs = 100;
/** Questions without an answer that are remembered. */
const mostOpen = 100;

export interface ClockCheckParts {
  readonly clock: ClusterClock;
  readonly slot: number;
  readonly send: (message: AskTimeMessage | TellTimeMessage) => void;
  /** Submissions so far. */
  readonly submitted: () => number;
  /** How long nobody may answer before the members are to agree anew who is there, milliseconds. */
  readonly patienceMs: number;
  readonly exchangeAgain: (reason: string) => void;
  /** How often to ask when it is sure, milliseconds. */
  readonly everyMs: number;
}

interface Question {
  readonly atMs: number;
  /** Submissions made before it. */
  readonly submitted: number;
}

export class ClockCheck {
  readonly #parts: ClockCheckParts;
  #view: Ballot | undefined;
  /** Since when nobody has answered. */
  #sinceMs = 0;
  readonly #questions = new Map<number, Question>();
  #asked = 0;
  #askedAtMs = 0;
  #clear = 0;

  constructor(parts: ClockCheckParts) {
    this.#parts = parts;
  }

  /** After the clock was told. */
  viewInstalled(view: Ballot): void {
    this.#view = view;
    this.begin();
  }

  /** Also when the group's first entry was applied: before it there is no time to tell. */
  begin(): void {
    this.#sinceMs = this.#parts.clock.monotonicMs();
    if (!this.#parts.clock.sure) this.#ask();
  }

  viewEnded(): void {
    this.#view = undefined;
    this.#questions.clear();
  }

  /** So many of the submissions may be sent; if there are more, they wait for another answer. */
  clear(): number {
    const { clock, submitted } = this.#parts;
    if (clock.sure) return submitted();
    if (submitted() > this.#clear && this.#questions.size === 0) this.#ask();
    return this.#clear;
  }

  tick(): void {
    const { clock, patienceMs, everyMs, slot, exchangeAgain } = this.#parts;
    if (this.#view === undefined || clock.now() === undefined) return;
    const now = clock.monotonicMs();
    if (!clock.sure && now - this.#sinceMs > patienceMs) {
      this.#sinceMs = now;
      // Those who know it may be frozen: then they are excluded, and somebody else's clock is right.
      exchangeAgain(`nobody tells slot ${slot} the time`);
    } else if (now - this.#askedAtMs > (clock.sure ? everyMs : quickMs)) this.#ask();
  }

  asked(sender: number, { view, question }: AskTimeMessage): void {
    const { clock, slot, send } = this.#parts;
    const timeMs = clock.now();
    if (sender === slot || !clock.sure || timeMs === undefined || !this.#isOfView(view)) return;
    send({ type: "tellTime", view, to: sender, question, timeMs });
  }

  told({ view, to, question, timeMs }: TellTimeMessage): void {
    const { clock, slot } = this.#parts;
    if (to !== slot || !this.#isOfView(view)) return;
    clock.observe(timeMs);
    this.#sinceMs = clock.monotonicMs();
    const { atMs, submitted } = this.#questions.get(question) ?? {};
    if (atMs === undefined || submitted === undefined) return;
    this.#clear = Math.max(this.#clear, submitted);
    if (this.#sinceMs - atMs <= quickMs) clock.beSure();
    for (const asked of this.#questions.keys()) if (asked <= question) this.#questions.delete(asked);
  }

  #isOfView(view: Ballot): boolean {
    return this.#view !== undefined && equalBallots(view, this.#view);
  }

  #ask(): void {
    if (this.#view === undefined) return;
    this.#asked++;
    this.#askedAtMs = this.#parts.clock.monotonicMs();
    this.#questions.set(this.#asked, { atMs: this.#askedAtMs, submitted: this.#parts.submitted() });
    // Nobody is there, or all are frozen: what comes that late tells nothing any more.
    if (this.#questions.size > mostOpen) this.#questions.delete(this.#asked - mostOpen);
    this.#parts.send({ type: "askTime", view: this.#view, question: this.#asked });
  }
}
