/**
 * A client: one operation after the other, on keys that it shares with all the others, through whichever replica answers. What it may
 * try again it does: a refusal as "certainly not done" always, silence and "unknown" only under a request id.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "@lockstep/framework/testing";
import type { Fleet } from "./fleet.js";
import type { Attempt, History, OperationRecord, Result, Value, Work } from "./history.js";
import type { Action } from "./machine.js";
import type { Reply } from "./server.js";

export interface ClientOptions {
  readonly name: string;
  readonly fleet: Fleet;
  readonly history: History;
  readonly random: Random;
  /** What was last seen of each key, by any client: what a compare-and-set expects. */
  readonly lastSeen: Map<string, Value>;
  readonly now: () => number;
  /** The replica that is asked first. */
  readonly home: number;
}

/** Keys are used for a while, then new ones: a history of one key that is searched for an order stays short. */
const keyLifeMs = 8_000;
const keysPerKind = 2;
/** The replica is told to give up by then; the client does a little later, as over a network. */
const attemptMs = 1_500;
const patienceMs = 500;
/** An operation is tried again for this long. */
const operationMs = 12_000;
const thinkMs = [2, 25] as const;
const retryMs = 60;
/** Writes without a request id: tried once, so that what a replica says of an outcome can be held against it. */
const onceShare = 0.25;
/** Of the others, those that are sent to two replicas at the same time. */
const twiceShare = 0.08;

export class Client {
  readonly #options: ClientOptions;
  #running = true;
  #operations = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Resolves after stop(), when the last operation has ended. */
  async run(): Promise<void> {
    while (this.#running) {
      const record = this.#begin();
      if (record.work.type === "read") await this.#read(record);
      else await this.#write(record, record.work);
      await sleep(this.#options.random.between(...thinkMs));
    }
  }

  stop(): void {
    this.#running = false;
  }

  #begin(): OperationRecord {
    const { history, name, random, now } = this.#options;
    this.#operations++;
    const op = `${name}-${this.#operations}`;
    const kind = random.pick(["register", "counter", "entry"] as const) ?? "counter";
    const key = `${kind}-${random.between(1, keysPerKind)}@${Math.floor(now() / keyLifeMs)}`;
    const work = this.#chooseWork(kind, key, op);
    return history.begin({ op, client: name, key, work, requestId: work.type !== "read" && !random.chance(onceShare), callMs: now() });
  }

  #chooseWork(kind: "register" | "counter" | "entry", key: string, op: string): Work {
    const { random, lastSeen } = this.#options;
    if (random.chance(0.35)) return { type: "read", consistency: random.chance(0.6) ? "linearizable" : "sequential" };
    if (kind === "counter") return { type: "increment" };
    if (kind === "register" || random.chance(0.2)) return { type: "write", value: op };
    return { type: "cas", expected: (lastSeen.get(key) ?? null) as string | null, value: op };
  }

  async #read(record: OperationRecord): Promise<void> {
    const { history, now } = this.#options;
    const reply = await this.#attempt(record, this.#nodeOf(0));
    if (reply === undefined || !("value" in reply)) history.end(record, { type: "none" }, now());
    else this.#succeed(record, reply.value);
  }

  async #write(record: OperationRecord, action: Action): Promise<void> {
    const { history, random, now } = this.#options;
    const giveUpMs = now() + operationMs;
    let maybeDone = false;
    for (let turn = 0; ; turn++) {
      const twin = record.requestId && random.chance(twiceShare) ? this.#attempt(record, this.#nodeOf(turn + 1)) : undefined;
      const replies = await Promise.all([this.#attempt(record, this.#nodeOf(turn)), ...(twin === undefined ? [] : [twin])]);
      const answer = replies.find((reply) => reply !== undefined && "value" in reply);
      if (answer !== undefined && "value" in answer) {
        this.#succeed(record, answer.value, action);
        return;
      }
      maybeDone ||= replies.some((reply) => reply === undefined || ("effect" in reply && reply.effect === "unknown"));
      if (now() > giveUpMs || (maybeDone && !record.requestId)) break;
      await sleep(retryMs);
    }
    // An answer that came after the client's patience has ended the operation already.
    if (record.outcome === undefined) history.end(record, { type: maybeDone ? "unknown" : "none" }, now());
  }

  #succeed(record: OperationRecord, value: Result, action?: Action): void {
    const { history, lastSeen, now } = this.#options;
    if (record.outcome === undefined) history.end(record, { type: "ok", value }, now());
    if (action === undefined) lastSeen.set(record.key, value as Value);
    else if (action.type === "write" || (action.type === "cas" && value === true)) lastSeen.set(record.key, action.value);
  }

  #nodeOf(turn: number): number {
    const { fleet, home } = this.#options;
    const { nodeIds } = fleet;
    return nodeIds[(nodeIds.indexOf(home) + turn) % nodeIds.length] ?? home;
  }

  /** Undefined: nothing came back in time. What comes later is recorded all the same. */
  async #attempt(record: OperationRecord, node: number): Promise<Reply<Result> | undefined> {
    const { fleet, now } = this.#options;
    const life = fleet.life(node);
    // Nobody listens there: a connection that is refused.
    if (life === undefined) return { code: "NO_REPLICA", effect: "none" };
    const attempt: Attempt = { node, life: life.number, callMs: now(), returnMs: undefined, reply: undefined };
    record.attempts.push(attempt);
    const { op, key, work } = record;
    const asked: Promise<Reply<Result>> = work.type === "read"
      ? life.process.call("read", key, work.consistency, attemptMs)
      : life.process.call("change", { op, key, action: work }, { requestId: record.requestId ? op : undefined, timeoutMs: attemptMs });
    // The process was killed meanwhile: nobody knows.
    const answered = asked.then((reply) => this.#answered(record, attempt, reply), () => undefined);
    const patience = new AbortController();
    const tooLate = sleep(attemptMs + patienceMs, undefined, { signal: patience.signal }).catch(() => undefined);
    const reply = await Promise.race([answered, tooLate]);
    patience.abort();
    return reply;
  }

  #answered(record: OperationRecord, attempt: Attempt, reply: Reply<Result>): Reply<Result> {
    const { history, now } = this.#options;
    attempt.returnMs = now();
    attempt.reply = reply;
    // A write that was given up as unknown is known after all, if its answer comes late.
    if (record.outcome?.type === "unknown" && "value" in reply) history.end(record, { type: "ok", value: reply.value }, attempt.returnMs);
    return reply;
  }
}
