/** The role of a replica, and who is told of its changes. */
import { described } from "./call-options.js";
import { LockstepError } from "./errors.js";
import type { Logger } from "./logger.js";
import { isThenable } from "./promises.js";
import type { ReplicaRole } from "./replica-api.js";

export type RoleListener = (role: ReplicaRole, reason: string | undefined) => void;

export interface Standing {
  readonly role: ReplicaRole;
  /** Why, in words. */
  readonly reason: string | undefined;
}

export class Roles {
  readonly #logger: Logger;
  readonly #listeners = new Set<RoleListener>();
  #now: Standing = { role: "joining", reason: undefined };
  /** A listener may change the role, by stop(): the others hear of the earlier change first. */
  #untold: Standing[] = [];
  #telling = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get now(): Standing {
    return this.#now;
  }

  /** @throws LockstepError INVALID_INPUT: a listener that is none would be missed when the role changes. */
  listen(listener: RoleListener): () => void {
    if (typeof listener !== "function") throw new LockstepError("INVALID_INPUT", `onRoleChange() takes a function of the role and the reason, not ${described(listener)}`);
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  /** Nothing comes after "stopped". */
  change(role: ReplicaRole, reason: string | undefined): void {
    const { role: before, reason: reasonBefore } = this.#now;
    if (before === "stopped" || (before === role && reasonBefore === reason)) return;
    this.#now = { role, reason };
    this.#logger.info({ role, reason }, "the role changed");
    this.#untold.push(this.#now);
    if (!this.#telling) this.#tell();
  }

  #tell(): void {
    this.#telling = true;
    try {
      for (let next = this.#untold.shift(); next !== undefined; next = this.#untold.shift()) {
        for (const listener of Array.from(this.#listeners)) this.#call(listener, next);
      }
    } finally {
      this.#telling = false;
    }
  }

  /** What a listener does wrong is the application's trouble: the replica, and the other listeners, go on. */
  #call(listener: RoleListener, { role, reason }: Standing): void {
    const report = (error: unknown): void => {
      this.#logger.error({ role, error: error instanceof Error ? error.stack : String(error) }, "a listener to changes of the role threw");
    };
    try {
      // An async one is not waited for. Nobody else handles its rejection, which would end the process.
      const returned: unknown = listener(role, reason);
      if (isThenable(returned)) returned.then(undefined, report);
    } catch (error) {
      report(error);
    }
  }
}
