/** A client: one call at a time, through any replica; a call with a request id whose outcome is unknown is tried again elsewhere. */
import { isLockstepError } from "../../errors.js";
import { Violation } from "../checkers/violation.js";
import type { Random } from "../random.js";
import type { SimulatedProcess } from "../simulated-process.js";
import type { World } from "../world.js";
import type { Call, CallRecord, Ending, Workload } from "./workload.js";

const maxAttempts = 4;

interface UnderWay {
  /** Who was asked last. */
  slot: number | undefined;
  readonly call: Call;
  readonly startedAt: number;
  readonly startedMs: number;
  attempts: number;
  /** An attempt may have taken effect. */
  doubt: boolean;
  /** Waits for an answer; otherwise it is to be tried again. */
  asked: boolean;
}

export interface ClientParts {
  readonly world: World;
  /** Of this moment. */
  readonly random: () => Random;
  readonly workload: Workload;
  /** Counts moments. */
  readonly moment: () => number;
  readonly ended: (record: CallRecord) => void;
  readonly violated: (violation: Violation) => void;
}

export class Client {
  readonly name: string;
  readonly #parts: ClientParts;
  #underWay: UnderWay | undefined;

  constructor(name: string, parts: ClientParts) {
    this.name = name;
    this.#parts = parts;
  }

  get #random(): Random {
    return this.#parts.random();
  }

  get idle(): boolean {
    return this.#underWay === undefined;
  }

  waitsFor(slot: number): boolean {
    return this.#underWay?.asked === true && this.#underWay.slot === slot;
  }

  describe(): string {
    const { call, attempts } = this.#underWay ?? {};
    return call === undefined ? `${this.name} idle` : `${this.name} waits for ${call.name} (attempt ${attempts})`;
  }

  /** Asks for something, or again. */
  step(): void {
    const { workload, moment } = this.#parts;
    if (this.#underWay?.asked === true) return;
    const process = this.#chooseProcess();
    if (process === undefined) return;
    this.#underWay ??= { call: workload.next(this.#random), startedAt: moment(), startedMs: this.#parts.world.elapsedMs, attempts: 0, doubt: false, asked: false, slot: undefined };
    this.#ask(this.#underWay, process);
  }

  /** Tries again what is to be tried again, and begins nothing new. */
  finish(): void {
    if (this.#underWay !== undefined) this.step();
  }

  #chooseProcess(): SimulatedProcess | undefined {
    const able = Array.from(this.#parts.world.processes.values()).filter(({ frozen, replica }) => !frozen && replica !== undefined);
    const active = able.filter(({ replica }) => replica?.role === "active");
    return this.#random.pick(active.length > 0 && this.#random.chance(0.8) ? active : able);
  }

  #ask(work: UnderWay, process: SimulatedProcess): void {
    work.asked = true;
    work.slot = process.slot;
    work.attempts++;
    const answer = this.#perform(work.call, process);
    const death = process.death.then((): never => { throw new Error("the process was killed"); });
    Promise.race([answer, death]).then(
      (result) => this.#end(work, process, "answered", result, undefined),
      (error: unknown) => this.#failed(work, process, error),
    );
  }

  #perform(call: Call, process: SimulatedProcess): Promise<unknown> {
    const timeoutMs = this.#random.pick([300, 3_000, 30_000]) ?? 3_000;
    const replica = process.replica as unknown as {
      submit: Record<string, (input: unknown, options: object) => Promise<unknown>>;
      query: Record<string, (...args: unknown[]) => Promise<unknown>>;
    };
    if (call.kind === "query") return replica.query[call.name]?.(...call.args, { consistency: call.consistency, timeoutMs }) ?? Promise.reject(new Error(`no query ${call.name}`));
    const options = call.requestId === undefined ? { timeoutMs } : { timeoutMs, requestId: call.requestId };
    return replica.submit[call.name]?.(call.input, options) ?? Promise.reject(new Error(`no command ${call.name}`));
  }

  #failed(work: UnderWay, process: SimulatedProcess, error: unknown): void {
    const [code, outcome] = isLockstepError(error) ? [error.code, error.outcome] : ["killed", "unknown" as const];
    if (!isLockstepError(error) && !process.dead) this.#parts.violated(new Violation("answers", `${work.call.name} failed with ${String(error)}`));
    if (work.call.kind === "query") return this.#end(work, process, "none", undefined, code);
    if (outcome === "unknown") work.doubt = true;
    const refusedByMachine = code === "REJECTED" || code === "MACHINE_FAULT";
    const retry = work.call.requestId !== undefined && !refusedByMachine && work.attempts < maxAttempts && (work.doubt || this.#random.chance(0.3));
    if (retry) work.asked = false;
    else this.#end(work, process, work.doubt && !refusedByMachine ? "unknown" : "none", undefined, code);
  }

  #end(work: UnderWay, process: SimulatedProcess, ending: Ending, result: unknown, code: string | undefined): void {
    this.#underWay = undefined;
    this.#parts.ended({ client: this.name, call: work.call, startedAt: work.startedAt, endedAt: this.#parts.moment(), startedMs: work.startedMs, endedMs: this.#parts.world.elapsedMs, ending, result, code, process });
  }
}
