/**
 * Keeps a replica's cluster time right in a membership: puts it into what is sent, takes it from what comes, lets it stand between views.
 *
 * And asks the others before this replica stamps commands. What was told in an exchange is as old as the exchange is long, and as this
 * process was stopped in the midst of it; a lease that begins in the past ends early. An answer to a question is not older than
 * the question: what was submitted before it may go. When one came quickly, all may. Later it asks now and then: clocks differ,
 * and in a group that does nothing no entry tells.
 */
import type { ClusterClock } from "../apply/cluster-clock.js";
import { stamp } from "../codec/entry-codec.js";
import { equalBallots, type Ballot } from "../core/ballot.js";
import type { AskTimeMessage, Message, TellTimeMessage } from "../core/messages.js";
import type { ViewTime } from "../core/view-time.js";

/** Much shorter than what holders of leases keep in reserve, much longer than a message takes on a ring that is well. */
const quickMs = 100;
/** Questions without an answer that are remembered. */
const mostOpen = 100;

export interface TimekeeperParts {
  readonly clock: ClusterClock;
  readonly slot: number;
  readonly incarnation: string;
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

export class Timekeeper {
  readonly #parts: TimekeeperParts;
  #view: Ballot | undefined;
  /** Since when nobody has answered. */
  #sinceMs = 0;
  readonly #questions = new Map<number, Question>();
  #asked = 0;
  #askedAtMs = 0;
  #clear = 0;

  constructor(parts: TimekeeperParts) {
    this.#parts = parts;
  }

  viewInstalled(view: Ballot, time: ViewTime | undefined): void {
    this.#view = view;
    this.#parts.clock.resume(view, time, this.#parts.incarnation);
    this.#begin();
  }

  viewEnded(): void {
    this.#parts.clock.stop();
    this.#view = undefined;
    this.#questions.clear();
  }

  /** An entry of this cluster time was applied. */
  applied(timeMs: number, isOwn: boolean): void {
    const { clock } = this.#parts;
    const isFirst = clock.now() === undefined;
    if (isFirst && isOwn) clock.started();
    clock.observe(timeMs);
    // Before the group's first entry there was no time to tell.
    if (isFirst) this.#begin();
  }

  /** With the time in it: the core has no clock. An entry that is sent again may be from before a while in which time stood still. */
  outgoing(message: Message): Message {
    const { clock } = this.#parts;
    if (message.type === "batch") stamp(message.record, clock.start());
    const time = message.type === "state" ? clock.report() : undefined;
    return message.type === "state" && time !== undefined ? { ...message, report: { ...message.report, time } } : message;
  }

  /** For the core, with when it was heard; undefined if it was about the time and nothing else. */
  incoming(sender: number, message: Message): Message | undefined {
    switch (message.type) {
      case "askTime":
        this.#answer(sender, message);
        return undefined;
      case "tellTime":
        this.#told(message);
        return undefined;
      case "state": {
        const { time } = message.report;
        return time === undefined ? message : { ...message, report: { ...message.report, time: this.#parts.clock.heard(time) } };
      }
      default: return message;
    }
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

  #answer(sender: number, { view, question }: AskTimeMessage): void {
    const { clock, slot, send } = this.#parts;
    const timeMs = clock.now();
    if (sender === slot || !clock.sure || timeMs === undefined || !this.#isOfView(view)) return;
    send({ type: "tellTime", view, to: sender, question, timeMs });
  }

  #told({ view, to, question, timeMs }: TellTimeMessage): void {
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

  #begin(): void {
    this.#sinceMs = this.#parts.clock.monotonicMs();
    if (!this.#parts.clock.sure) this.#ask();
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
