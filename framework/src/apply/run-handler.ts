/** Runs one handler in a draft of its own: all of its changes, or none. */
import type { Draft, Objectish } from "immer";
import { LockstepError, isLockstepError } from "../errors.js";
import { drafts } from "../machine/drafts.js";
import { seal } from "../machine/seal.js";
import type { Context } from "../machine/types.js";
import { abandon, isThenable } from "../promises.js";
import { CommandContext, type Circumstances } from "./command-context.js";
import { outcomeOfThrown, succeeded } from "./outcomes.js";
import type { Timers } from "./timers.js";
import type { CommandOutcome } from "./types.js";

export type Handler<S> = (draft: Draft<S>, context: Context) => unknown;

/** What a handler can change. */
export interface Changeable<S> {
  readonly machine: S;
  readonly timers: Timers;
}

export interface HandlerRun<S> extends Changeable<S> {
  readonly outcome: CommandOutcome;
}

/** runHandler(), or the check that runs it twice. */
export type RunHandler = <S>(name: string, handler: Handler<S>, base: Changeable<S>, circumstances: Circumstances, commands: Readonly<Record<string, unknown>>) => HandlerRun<S>;

export function runHandler<S>(name: string, handler: Handler<S>, base: Changeable<S>, circumstances: Circumstances, commands: Readonly<Record<string, unknown>>): HandlerRun<S> {
  const context = new CommandContext(circumstances, base.timers, commands);
  try {
    const draft = openDraft(base.machine);
    const result = callHandler(handler, draft, context);
    return { machine: closeDraft(draft, base.machine), timers: context.end(), outcome: succeeded(result) };
  } catch (thrown) {
    context.end();
    return { machine: base.machine, timers: base.timers, outcome: outcomeOfThrown(name, thrown) };
  }
}

export function openDraft<S>(base: S): Draft<S> {
  return drafts.createDraft(base as Objectish) as Draft<S>;
}

/** The next state; the base itself if nothing was changed. @throws LockstepError INVALID_INPUT if something in it cannot be replicated. */
export function closeDraft<S>(draft: Draft<S>, base: S): S {
  const changed = drafts.finishDraft(draft as never) as S;
  return changed === base ? changed : seal(changed);
}

/** The handler's result, sealed while the drafts in it are open. */
export function callHandler<S>(handler: Handler<S>, draft: Draft<S>, context: Context): unknown {
  const result = handler(draft, context);
  refuseAsResult(result);
  return seal(result);
}

/** Nor what was meant to be thrown: as a result it would refuse nothing, and what the handler had changed would stay. */
function refuseAsResult(result: unknown): void {
  if (isThenable(result)) {
    abandon(result);
    throw new LockstepError("MACHINE_FAULT", "it returned a promise. Handlers are synchronous: do what waits before submitting, and pass the result as input");
  }
  if (isLockstepError(result, "REJECTED")) throw new LockstepError("MACHINE_FAULT", "it returned what reject() makes. To refuse the command, throw it: throw reject(…)");
}
