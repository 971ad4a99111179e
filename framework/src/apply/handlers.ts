/** Handlers: runs the handlers of one entry, one after the other, each all or nothing: all in one draft, or each in its own. */
import { CommandContext, type Circumstances } from "./command-context.js";
import { outcomeOfThrown, succeeded } from "./outcomes.js";
import { callHandler, runHandler, type Handler, type HandlerRun, type RunHandler } from "./run-handler.js";
import { SharedDraft } from "./shared-draft.js";
import type { Timers } from "./timers.js";

/** How a handler ended, and the timers as it left them. */
type Ending = Pick<HandlerRun<unknown>, "outcome" | "timers">;

export interface Handlers<S> {
  run(name: string, handler: Handler<S>, timers: Timers, circumstances: Circumstances): Ending;
  /** The state as the handlers left it. */
  end(): S;
}

/** A handler failed, and its changes are in one draft with those of others: the entry has to be applied again, one by one. */
export class NotTogether extends Error {
  override readonly name = "NotTogether";
}

/** Names that schedule() may use. */
type Commands = Readonly<Record<string, unknown>>;

export class OneByOne<S> implements Handlers<S> {
  readonly #runHandler: RunHandler;
  readonly #commands: Commands;
  #machine: S;

  constructor(runHandler: RunHandler, machine: S, commands: Commands) {
    this.#runHandler = runHandler;
    this.#machine = machine;
    this.#commands = commands;
  }

  run(name: string, handler: Handler<S>, timers: Timers, circumstances: Circumstances): Ending {
    const run = this.#runHandler(name, handler, { machine: this.#machine, timers }, circumstances, this.#commands);
    this.#machine = run.machine;
    return run;
  }

  end(): S {
    return this.#machine;
  }
}

/** All in one draft, as long as that cannot show. */
export class Together<S> implements Handlers<S> {
  readonly #commands: Commands;
  readonly #base: S;
  #draft: SharedDraft<S> | undefined;
  /** After one that cannot share its draft with the next: more of its kind are likely to come. */
  #others: OneByOne<S> | undefined;

  constructor(machine: S, commands: Commands) {
    this.#base = machine;
    this.#commands = commands;
  }

  /** @throws NotTogether */
  run(name: string, handler: Handler<S>, timers: Timers, circumstances: Circumstances): Ending {
    if (this.#draft?.look() === "parts") this.#part(this.#draft);
    if (this.#others !== undefined) return this.#others.run(name, handler, timers, circumstances);
    const isFirst = this.#draft === undefined;
    const shared = (this.#draft ??= new SharedDraft(this.#base));
    const context = new CommandContext(circumstances, timers, this.#commands);
    try {
      const result = callHandler(handler, shared.draft, context);
      return { outcome: succeeded(result), timers: context.end() };
    } catch (thrown) {
      context.end();
      if (isFirst) this.#draft = undefined;
      else if (shared.look() !== "nothing") throw new NotTogether();
      return { outcome: outcomeOfThrown(name, thrown), timers };
    }
  }

  /** @throws NotTogether */
  end(): S {
    if (this.#others !== undefined) return this.#others.end();
    return this.#draft === undefined ? this.#base : closeOf(this.#draft);
  }

  #part(draft: SharedDraft<S>): void {
    this.#others = new OneByOne(runHandler, closeOf(draft), this.#commands);
    this.#draft = undefined;
  }
}

function closeOf<S>(draft: SharedDraft<S>): S {
  try {
    return draft.close();
  } catch {
    throw new NotTogether(); // one of the handlers stored what cannot be replicated; alone, it fails
  }
}
