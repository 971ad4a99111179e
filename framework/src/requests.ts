/** What an application asks of a replica: commands to submit, queries to run; and when it is told that nothing can be sent. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { LockstepError, isLockstepError } from "./errors.js";
import type { Clock } from "./apply/cluster-clock.js";
import { checkCallOptions } from "./call-options.js";
import { encodeCommand } from "./codec/entry-codec.js";
import type { Limits } from "./limits.js";
import type { AnyCommand, AnyQuery } from "./machine/types.js";
import { isThenable } from "./promises.js";
import { splitOptions } from "./query-options.js";
import type { QueryOptions, ReplicaRole, RunQuery, Submit, SubmitOptions } from "./replica-api.js";
import { checkSignal } from "./signals.js";
import type { Submissions, WaitOptions } from "./submit/submissions.js";

/** As long as an HTTP header's customary idempotency keys; kept in the replicated state, so bounded. */
const maxRequestIdLength = 128;

export interface RequestParts<S> {
  readonly state: () => S;
  readonly submissions: Submissions;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly limits: Pick<Limits, "answerTimeoutMs">;
  readonly standing: () => { readonly role: ReplicaRole; readonly reason: string | undefined; readonly lineage: boolean };
  /** Something waits to be sent. */
  readonly flush: () => void;
}

type Validated = StandardSchemaV1.Result<unknown>;

export class Requests<S> {
  readonly #parts: RequestParts<S>;
  /** Commands taken in. */
  submitted = 0;

  constructor(parts: RequestParts<S>) {
    this.#parts = parts;
  }

  makeSubmit<C extends Readonly<Record<string, AnyCommand<S>>>>(commands: C): Submit<C> {
    const submit = Object.create(null) as Record<string, unknown>;
    for (const [name, command] of Object.entries(commands)) {
      submit[name] = (input: unknown, options: SubmitOptions = {}) => this.#submit(name, command, input, options);
    }
    return Object.freeze(submit) as Submit<C>;
  }

  #submit(name: string, command: AnyCommand<S>, input: unknown, options: SubmitOptions): Promise<unknown> {
    if (command.schema === undefined) return this.enqueue(name, { value: input }, options);
    try {
      const validated: unknown = command.schema["~standard"].validate(input);
      // Not only promises of this realm: whatever can be awaited has to be.
      if (!isThenable(validated)) return this.enqueue(name, resultOf(validated), options);
      const result = Promise.resolve(validated).then(resultOf).catch((error: unknown) => { throw schemaFailed(name, error); });
      return result.then((found) => this.enqueue(name, found, options));
    } catch (error) {
      return Promise.reject(schemaFailed(name, error));
    }
  }

  /** Never throws: what is wrong with the input or the options ends this one submission, and no other. */
  enqueue(name: string, validated: Validated, options: SubmitOptions): Promise<unknown> {
    const refusal = this.refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    // Issues alone tell: valibot's failures have a value as well.
    if (validated.issues) {
      const messages = validated.issues.map((issue) => issue.message).join("; ");
      return Promise.reject(new LockstepError("INVALID_INPUT", `${name}: ${messages}`, { details: validated.issues }));
    }
    try {
      // Of a request id that is misspelt, every retry would take effect.
      checkCallOptions(options, optionNames, "submit");
      const requestId = requestIdOf(options);
      const bytes = encodeCommand({ name, input: validated.value, ...(requestId === undefined ? {} : { requestId }) });
      const promise = this.#parts.submissions.submit(bytes, requestId, this.#wait(options));
      this.submitted++;
      this.#parts.flush();
      return promise;
    } catch (error) {
      return Promise.reject(isLockstepError(error) ? error : new LockstepError("INVALID_INPUT", `${name}: ${String(error)}`, { cause: error }));
    }
  }

  /** Why nothing can be sent now; undefined when it can, or soon. */
  refusal(): LockstepError | undefined {
    const { role, reason, lineage } = this.#parts.standing();
    switch (role) {
      case "active": return undefined;
      case "changing": return lineage ? undefined : notReady("joining", reason);
      case "minority": return new LockstepError("NOT_PRIMARY", `this replica is not in a primary view: ${reason ?? "no quorum"}`);
      case "joining":
      case "synchronising": return notReady(role, reason);
      case "stopped": return new LockstepError("STOPPED", "this replica was stopped");
      default: return role satisfies never;
    }
  }

  #wait({ timeoutMs = this.#parts.limits.answerTimeoutMs, signal }: SubmitOptions): WaitOptions {
    checkSignal(signal);
    if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) throw new LockstepError("INVALID_INPUT", `timeoutMs must be a positive number of milliseconds, not ${String(timeoutMs)}`);
    return { deadlineMs: this.#parts.clock.monotonicMs() + timeoutMs, signal };
  }

  makeQuery<Q extends Readonly<Record<string, AnyQuery<S>>>>(queries: Q): RunQuery<Q> {
    const query = Object.create(null) as Record<string, unknown>;
    for (const [name, run] of Object.entries(queries)) {
      query[name] = async (...given: unknown[]): Promise<unknown> => {
        const { args, options } = splitOptions(given, run.length - 1);
        if (isLinearizable(options)) await this.#confirm(options);
        return (run as (state: S, ...args: unknown[]) => unknown)(this.#parts.state(), ...args);
      };
    }
    return Object.freeze(query) as RunQuery<Q>;
  }

  /** Resolves once an entry multicast from now on is applied here: no answer from the past can follow. */
  async #confirm(options: QueryOptions): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    const confirmed = this.#parts.submissions.barrier(this.#wait(options));
    this.#parts.flush();
    await confirmed;
  }
}

/** A word that is misspelt must not be taken for the weaker one: the answer could be from the past. */
function isLinearizable({ consistency = "sequential" }: QueryOptions): boolean {
  if (consistency === "sequential" || consistency === "linearizable") return consistency === "linearizable";
  throw new LockstepError("INVALID_INPUT", `consistency must be "sequential" or "linearizable", not ${JSON.stringify(consistency)}`);
}

const optionNames: Readonly<Record<keyof SubmitOptions, true>> = { requestId: true, signal: true, timeoutMs: true };

/** JavaScript may give anything: what is no string, no replica could read, and the commands that travel with it would be lost with it. */
function requestIdOf({ requestId }: { readonly requestId?: unknown }): string | undefined {
  if (requestId === undefined) return undefined;
  if (typeof requestId !== "string") throw new LockstepError("INVALID_INPUT", `a request id is a string, not ${requestId === null ? "null" : `a ${typeof requestId}`}`);
  if (requestId.length === 0 || requestId.length > maxRequestIdLength) throw new LockstepError("INVALID_INPUT", `a request id has 1 to ${maxRequestIdLength} characters`);
  return requestId;
}

/** What else a schema might give must not be taken for a valid input. */
function resultOf(validated: unknown): Validated {
  if (typeof validated === "object" && validated !== null && ("value" in validated || "issues" in validated)) return validated as Validated;
  throw new TypeError("it gave neither a value nor issues");
}

function schemaFailed(name: string, cause: unknown): LockstepError {
  return new LockstepError("INVALID_INPUT", `${name}: the schema failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

function notReady(role: ReplicaRole, reason: string | undefined): LockstepError {
  return new LockstepError("NOT_READY", `this replica is ${role}${reason === undefined ? "" : ` (${reason})`}; await ready(), or ask another one`);
}
