/** Runs one handler in a draft of its own: all of its changes, or none. */
import type { Draft, Objectish } from "immer";
import { LockstepError } from "../errors.js";
import { drafts } from "../machine/drafts.js";
import { seal } from "../machine/seal.js";
import type { Context } from "../machine/types.js";
import { CommandContext, type Circumstances } from "./command-context.js";
import { outcomeOfThrown, succeeded } from "./outcomes.js";
import type { Timers } from "./timers.js";
import type { CommandOutcome } from "./types.js";

/** What a handler can change. */
export interface Changeable<S> {
  readonly machine: S;
  readonly timers: Timers;
}

export interface HandlerRun<S> extends Changeable<S> {
  readonly outcome: CommandOutcome;
}

/**
 * A draft per command, not per entry: in a shared draft, an object that one command stores in two places is one object to
 * the next command and two objects in the next entry, so that batching would show. It costs about 1 µs more.
 */
export function runHandler<S>(
  name: string,
  handler: (draft: Draft<S>, context: Context) => unknown,
  base: Changeable<S>,
  circumstances: Circumstances,
  commands: Readonly<Record<string, unknown>>,
): HandlerRun<S> {
  const context = new CommandContext(circumstances, base.timers, commands);
  try {
    const draft = drafts.createDraft(base.machine as Objectish) as Draft<S>;
    const result = handler(draft, context);
    if (isPromise(result)) throw refusePromise(result);
    const sealedResult = seal(result); // before finishDraft, which ends the drafts in it
    const changed = drafts.finishDraft(draft as never) as S;
    const machine = changed === base.machine ? changed : seal(changed);
    return { machine, timers: context.end(), outcome: succeeded(sealedResult) };
  } catch (thrown) {
    context.end();
    return { machine: base.machine, timers: base.timers, outcome: outcomeOfThrown(name, thrown) };
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Nobody waits for it: without a handler of its own, its rejection would end the process. */
function refusePromise(promise: PromiseLike<unknown>): LockstepError {
  const ignore = (): void => {};
  promise.then(ignore, ignore);
  return new LockstepError("MACHINE_FAULT", "it returned a promise. Handlers are synchronous: do what waits before submitting, and pass the result as input");
}
