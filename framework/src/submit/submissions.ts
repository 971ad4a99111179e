/**
 * Submissions and barriers of this replica: what waits to be sent, and what waits for its answer.
 *
 * Each ends in exactly one of: its result, the machine's rejection, "certainly never in the log", or "unknown".
 */
import { LockstepError } from "../errors.js";
import type { CommandOutcome } from "../apply/types.js";
import { commandOverheadBytes } from "../codec/entry-codec.js";
import type { Limits } from "../limits.js";

interface Waiter {
  readonly deadlineMs: number;
  readonly reject: (error: LockstepError) => void;
  /** The batch it was sent in. */
  sentIn: number | undefined;
  ended: boolean;
  /** Stops listening to its signal. */
  detach: (() => void) | undefined;
}

interface Submission extends Waiter {
  /** How many were queued before it, ever. */
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly requestId: string | undefined;
  readonly resolve: (result: unknown) => void;
}

/** A linearizable read: waits for an entry multicast after it began. */
interface Barrier extends Waiter {
  readonly resolve: () => void;
  /** Submissions made before it: they are sent no later, so that a client sees its own commands. */
  readonly after: number;
}

interface SentBatch {
  readonly submissions: readonly Submission[];
  readonly barriers: readonly Barrier[];
  /** Waiters that have not ended. */
  awaited: number;
}

export interface WaitOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

export class Submissions {
  readonly #limits: Limits;
  /** Called with n when nobody waits for a sent batch any more. */
  readonly #abandon: (n: number) => void;
  /** In the order of their numbers. Those that have ended are left out in time. */
  #queue: Submission[] = [];
  /** Submissions ever queued; and so many of the first of them have been taken from the queue, or have ended. */
  #queuedEver = 0;
  #takenEver = 0;
  #barriers: Barrier[] = [];
  readonly #sent = new Map<number, SentBatch>();
  /** Of those in the queue that have not ended. */
  #queuedCommands = 0;
  #queuedBytes = 0;
  #sentBytes = 0;
  #sentCommands = 0;
  #sentBarriers = 0;

  constructor(limits: Limits, abandon: (n: number) => void) {
    this.#limits = limits;
    this.#abandon = abandon;
  }

  get commands(): number {
    return this.#queuedCommands + this.#sentCommands;
  }

  get bytes(): number {
    return this.#queuedBytes + this.#sentBytes;
  }

  /** Submissions so far, whatever became of them. */
  get submitted(): number {
    return this.#queuedEver;
  }

  /** Something waits to be sent that is among the first `clear` submissions, or is a read that waits for nothing later. */
  pressing(clear = this.#queuedEver): boolean {
    return (this.#queuedCommands > 0 && this.#takenEver < clear) || this.#barriers.some((barrier) => barrier.after <= clear);
  }

  submit(bytes: Uint8Array, requestId: string | undefined, options: WaitOptions): Promise<unknown> {
    const full = this.#refusal(bytes.byteLength);
    if (full !== undefined) return Promise.reject(full);
    return new Promise((resolve, reject) => {
      const submission: Submission = { number: this.#queuedEver, bytes, requestId, deadlineMs: options.deadlineMs, resolve, reject, sentIn: undefined, ended: false, detach: undefined };
      if (!this.#watchSignal(submission, options.signal)) return;
      this.#queue.push(submission);
      this.#queuedCommands++;
      this.#queuedEver++;
      this.#queuedBytes += bytes.byteLength;
    });
  }

  barrier(options: WaitOptions): Promise<void> {
    if (this.#barriers.length + this.#sentBarriers >= this.#limits.pendingSubmissions) {
      return Promise.reject(new LockstepError("QUEUE_FULL", `limits.pendingSubmissions: ${this.#limits.pendingSubmissions} reads are waiting; try again later`));
    }
    return new Promise((resolve, reject) => {
      const barrier: Barrier = { after: this.#queuedEver, deadlineMs: options.deadlineMs, resolve, reject, sentIn: undefined, ended: false, detach: undefined };
      if (this.#watchSignal(barrier, options.signal)) this.#barriers.push(barrier);
    });
  }

  #refusal(bytes: number): LockstepError | undefined {
    const { queueBytes, pendingSubmissions, commandBytes } = this.#limits;
    if (bytes > commandBytes) return new LockstepError("COMMAND_TOO_LARGE", `the command is ${bytes} bytes long, limits.commandBytes is ${commandBytes}`);
    if (bytes > queueBytes) return new LockstepError("COMMAND_TOO_LARGE", `the command is ${bytes} bytes long, limits.queueBytes is ${queueBytes}: it would never have room`);
    if (this.bytes + bytes > queueBytes) return new LockstepError("QUEUE_FULL", `limits.queueBytes: ${this.bytes} of ${queueBytes} bytes are waiting; try again later`);
    if (this.commands >= pendingSubmissions) return new LockstepError("QUEUE_FULL", `limits.pendingSubmissions: ${pendingSubmissions} commands are waiting; try again later`);
    return undefined;
  }

  #watchSignal(waiter: Submission | Barrier, signal: AbortSignal | undefined): boolean {
    if (signal === undefined) return true;
    if (signal.aborted) {
      const [code, what] = "bytes" in waiter ? (["TIMED_OUT", "command was sent"] as const) : (["STALE_READ", "read was confirmed"] as const);
      waiter.reject(new LockstepError(code, `the signal was aborted before the ${what}`, { cause: signal.reason }));
      return false;
    }
    const aborted = (): void => this.#endEarly(waiter, "the signal was aborted");
    signal.addEventListener("abort", aborted, { once: true });
    waiter.detach = () => signal.removeEventListener("abort", aborted);
    return true;
  }

  /**
   * The next batch's commands, up to the byte limit and of the first `clear` submissions only, with the barriers that wait for nothing
   * behind them; both may be empty.
   */
  take(n: number, clear = this.#queuedEver): readonly Uint8Array[] {
    const submissions: Submission[] = [];
    let bytes = 0;
    let next = 0;
    for (; next < this.#queue.length; next++) {
      const submission = this.#queue[next];
      if (submission === undefined || submission.number >= clear) break;
      if (submission.ended) continue;
      const size = submission.bytes.byteLength + commandOverheadBytes;
      if (submissions.length > 0 && bytes + size > this.#limits.batchBytes) break;
      bytes += size;
      submission.sentIn = n;
      submissions.push(submission);
    }
    this.#queue = next === this.#queue.length ? [] : this.#queue.slice(next);
    const through = Math.min(clear, this.#queue[0]?.number ?? this.#queuedEver);
    this.#takenEver = Math.max(this.#takenEver, through);
    const waiting = this.#barriers.filter((barrier) => !barrier.ended);
    const barriers = waiting.filter((barrier) => barrier.after <= this.#takenEver);
    this.#barriers = waiting.filter((barrier) => barrier.after > this.#takenEver);
    for (const barrier of barriers) barrier.sentIn = n;
    const commandBytes = sizeOf(submissions);
    this.#queuedCommands -= submissions.length;
    this.#queuedBytes -= commandBytes;
    this.#sentCommands += submissions.length;
    this.#sentBytes += commandBytes;
    this.#sentBarriers += barriers.length;
    this.#sent.set(n, { submissions, barriers, awaited: submissions.length + barriers.length });
    return submissions.map((submission) => submission.bytes);
  }

  /** An own entry has been applied. */
  answer(n: number, outcomes: readonly CommandOutcome[]): void {
    const batch = this.#forget(n);
    if (batch === undefined) return;
    for (const [index, submission] of batch.submissions.entries()) {
      const outcome = outcomes[index];
      if (submission.ended) continue;
      if (outcome !== undefined) settle(submission, outcome);
      else end(submission, new LockstepError("INVALID_INPUT", "the entry that carried the command could not be read by the replicas, and had no effect"));
    }
    for (const barrier of batch.barriers) {
      if (barrier.ended) continue;
      finish(barrier);
      barrier.resolve();
    }
  }

  /** An own entry may or may not be below a snapshot: what was remembered by request id is answered, the rest unknown. */
  lose(n: number, answered: (requestId: string) => CommandOutcome | undefined, why: string): void {
    const batch = this.#forget(n);
    if (batch === undefined) return;
    for (const submission of batch.submissions) {
      if (submission.ended) continue;
      const outcome = submission.requestId === undefined ? undefined : answered(submission.requestId);
      if (outcome !== undefined) settle(submission, outcome);
      else end(submission, new LockstepError("UNKNOWN_OUTCOME", why));
    }
    // A read loses nothing by waiting for another entry.
    for (const barrier of batch.barriers) {
      if (barrier.ended) continue;
      barrier.sentIn = undefined;
      this.#barriers.push(barrier);
    }
  }

  /** The entry will not be sent again; nobody waits for it. */
  withdraw(n: number): void {
    this.#forget(n);
  }

  /** Refuses all that has not been sent. Reads that wait for a sent entry wait on, until their deadline. */
  refuseUnsent(error: LockstepError): void {
    for (const submission of this.#queue) if (!submission.ended) end(submission, error);
    this.#takenEver = this.#queuedEver;
    this.#queue = [];
    this.#queuedCommands = 0;
    this.#queuedBytes = 0;
    for (const barrier of this.#barriers) if (!barrier.ended) end(barrier, error);
    this.#barriers = [];
  }

  /** No quorum: who waits learns at once that the outcome is unknown, and what is not in the group's log is not sent again. */
  giveUpSent(why: string): void {
    for (const n of Array.from(this.#sent.keys())) {
      this.lose(n, () => undefined, why);
      this.#abandon(n);
    }
  }

  /** Contact with the group was lost: nothing that was sent will be answered any more. */
  loseSent(answered: (requestId: string) => CommandOutcome | undefined, why: string): void {
    for (const n of Array.from(this.#sent.keys())) this.lose(n, answered, why);
  }

  /** Ends what has waited too long. */
  expire(nowMs: number): void {
    const overdue = (waiter: Waiter): boolean => !waiter.ended && waiter.deadlineMs <= nowMs;
    const expired: (Submission | Barrier)[] = [...this.#queue.filter(overdue), ...this.#barriers.filter(overdue)];
    for (const batch of this.#sent.values()) expired.push(...batch.submissions.filter(overdue), ...batch.barriers.filter(overdue));
    for (const waiter of expired) this.#endEarly(waiter, "timeoutMs passed");
    this.#barriers = this.#barriers.filter((barrier) => !barrier.ended);
  }

  #endEarly(waiter: Submission | Barrier, why: string): void {
    if (waiter.ended) return;
    if (!("bytes" in waiter)) end(waiter, new LockstepError("STALE_READ", `${why} before the read was confirmed`));
    else if (waiter.sentIn === undefined) {
      end(waiter, new LockstepError("TIMED_OUT", `${why} before the command was sent`));
      this.#queuedCommands--;
      this.#queuedBytes -= waiter.bytes.byteLength;
      this.#leaveOutEnded();
    } else {
      end(waiter, new LockstepError("UNKNOWN_OUTCOME", `${why} after the command was sent: it may have taken effect, or may still. Retry with the same request id to learn it`));
    }
    const batch = waiter.sentIn === undefined ? undefined : this.#sent.get(waiter.sentIn);
    if (batch === undefined || waiter.sentIn === undefined) return;
    batch.awaited--;
    if (batch.awaited === 0) this.#abandon(waiter.sentIn);
  }

  /** What has ended counts no more, so must not be held either; half at a time, each costs the same however many there are. */
  #leaveOutEnded(): void {
    if (this.#queue.length > 2 * this.#queuedCommands) this.#queue = this.#queue.filter((submission) => !submission.ended);
  }

  #forget(n: number): SentBatch | undefined {
    const batch = this.#sent.get(n);
    if (batch === undefined) return undefined;
    this.#sent.delete(n);
    this.#sentBytes -= sizeOf(batch.submissions);
    this.#sentCommands -= batch.submissions.length;
    this.#sentBarriers -= batch.barriers.length;
    return batch;
  }
}

function sizeOf(submissions: readonly Submission[]): number {
  let bytes = 0;
  for (const submission of submissions) bytes += submission.bytes.byteLength;
  return bytes;
}

function finish(waiter: Waiter): void {
  waiter.ended = true;
  waiter.detach?.();
}

function end(waiter: Waiter, error: LockstepError): void {
  finish(waiter);
  waiter.reject(error);
}

function settle(submission: Submission, outcome: CommandOutcome): void {
  finish(submission);
  if (outcome.ok) submission.resolve(outcome.result);
  else submission.reject(new LockstepError(outcome.code, outcome.message, { details: outcome.details }));
}
