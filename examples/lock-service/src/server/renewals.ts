/**
 * Renews sessions, many with one command: all that come while one is under way go together in the next. Ten thousand sessions that are
 * kept alive then cost the log a few commands a second.
 */
import type { LockReplica } from "../machine/machine.js";

interface Waiting {
  readonly resolve: (alive: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Renewals {
  readonly #replica: LockReplica;
  readonly #atOnce: number;
  #waiting = new Map<string, Waiting[]>();
  #underWay = false;

  constructor(replica: LockReplica, atOnce: number) {
    this.#replica = replica;
    this.#atOnce = atOnce;
  }

  /** Resolves to false if the session has ended. Rejects as submissions do; renewing again does no harm. */
  renew(session: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(session);
      if (waiting === undefined) this.#waiting.set(session, [{ resolve, reject }]);
      else waiting.push({ resolve, reject });
      if (!this.#underWay) void this.#sendAll();
    });
  }

  async #sendAll(): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.size > 0) await this.#send(this.#take());
    this.#underWay = false;
  }

  #take(): ReadonlyMap<string, readonly Waiting[]> {
    const all = this.#waiting;
    if (all.size <= this.#atOnce) {
      this.#waiting = new Map();
      return all;
    }
    const taken = new Map(Array.from(all).slice(0, this.#atOnce));
    for (const session of taken.keys()) all.delete(session);
    return taken;
  }

  async #send(batch: ReadonlyMap<string, readonly Waiting[]>): Promise<void> {
    const sessions = Array.from(batch.keys());
    try {
      const alive = await this.#replica.submit.renewSessions({ sessions });
      sessions.forEach((session, i) => {
        for (const { resolve } of batch.get(session) ?? []) resolve(alive[i] === true);
      });
    } catch (error) {
      for (const waiting of batch.values()) for (const { reject } of waiting) reject(error);
    }
  }
}
