/**
 * Calls that wait for something to happen: for the outcome of a request, or for anything in the state that one can look for. They end
 * with it, with their time-out, with their connection, or with 503 when this replica is of no use to them (availability.ts). What they
 * wait for stays as it is: a call that ends leaves its request in the queue.
 */
import type { ServerResponse } from "node:http";
import type { RequestState } from "../machine/inputs.js";
import type { LockReplica, LockState } from "../machine/machine.js";
import { requestState } from "../machine/views.js";
import type { Availability } from "./availability.js";
import type { Change, Changes } from "./changes.js";
import { ServiceError } from "./errors.js";

/** What a call hangs on, to know when its client is gone. */
export type Response = Pick<ServerResponse, "once" | "destroyed">;

interface Call {
  /** Looks at the state; ends the call if that is what it waits for. */
  readonly look: (state: LockState) => void;
  readonly fail: (error: unknown) => void;
}

/** Looks for what a call waits for; what it throws ends the call. */
export type Look<T> = (state: LockState) => T | undefined;

export class HangingCalls {
  readonly #replica: LockReplica;
  readonly #availability: Availability;
  /** Of one request each, by session and request: thousands may wait, and few of them change at a time. */
  readonly #ofRequests = new Map<string, Map<string, Set<Call>>>();
  /** Those that look at every state. */
  readonly #ofStates = new Set<Call>();

  constructor(replica: LockReplica, changes: Changes, availability: Availability) {
    this.#replica = replica;
    this.#availability = availability;
    changes.listen((change) => this.#changed(change));
    availability.listen((refusal) => {
      for (const call of [...this.#ofStates, ...this.#callsOfAll()]) call.fail(refusal);
    });
  }

  /** Resolves to what has become of a request, or to undefined if it still waits when the time is over or the client gone. */
  outcome(session: string, request: string, timeoutMs: number, response: Response): Promise<RequestState | undefined> {
    const look: Look<RequestState> = (state) => {
      const found = requestState(state, session, request);
      if (found === undefined) throw new ServiceError("NO_SUCH_REQUEST", `session ${session} has no request ${request}`);
      return found.status === "waiting" ? undefined : found;
    };
    return this.#hang(look, timeoutMs, response, (call) => this.#addOfRequest(session, request, call));
  }

  /** Resolves to what `look` finds, now or at a later state, or to undefined when the time is over or the client gone. */
  until<T>(look: Look<T>, timeoutMs: number, response: Response): Promise<T | undefined> {
    return this.#hang(look, timeoutMs, response, (call) => {
      this.#ofStates.add(call);
      return () => { this.#ofStates.delete(call); };
    });
  }

  #hang<T>(look: Look<T>, timeoutMs: number, response: Response, add: (call: Call) => () => void): Promise<T | undefined> {
    const found = look(this.#replica.state);
    if (found !== undefined || timeoutMs <= 0 || response.destroyed) return Promise.resolve(found);
    const { refusal } = this.#availability;
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        remove();
      };
      const fail = (error: unknown): void => {
        end();
        reject(error);
      };
      const giveUp = (): void => {
        end();
        resolve(undefined);
      };
      const remove = add({
        look: (state) => {
          try {
            const found = look(state);
            if (found === undefined) return;
            end();
            resolve(found);
          } catch (error) {
            fail(error);
          }
        },
        fail,
      });
      const timer = setTimeout(giveUp, timeoutMs);
      response.once("close", giveUp);
    });
  }

  #addOfRequest(session: string, request: string, call: Call): () => void {
    const requests = this.#ofRequests.get(session) ?? new Map<string, Set<Call>>();
    const calls = requests.get(request) ?? new Set<Call>();
    this.#ofRequests.set(session, requests);
    requests.set(request, calls);
    calls.add(call);
    return () => {
      calls.delete(call);
      if (calls.size > 0 || requests.get(request) !== calls) return;
      requests.delete(request);
      if (requests.size === 0 && this.#ofRequests.get(session) === requests) this.#ofRequests.delete(session);
    };
  }

  #changed({ state, events }: Change): void {
    for (const call of this.#ofStates) call.look(state);
    if (this.#ofRequests.size === 0) return;
    if (events === "unknown") {
      for (const call of this.#callsOfAll()) call.look(state);
      return;
    }
    for (const event of events) {
      if (event.type === "session-ended") for (const call of this.#callsOf(event.session)) call.look(state);
      else if ("request" in event) for (const call of this.#ofRequests.get(event.session)?.get(event.request) ?? []) call.look(state);
    }
  }

  #callsOf(session: string): readonly Call[] {
    return Array.from(this.#ofRequests.get(session)?.values() ?? []).flatMap((calls) => Array.from(calls));
  }

  #callsOfAll(): readonly Call[] {
    return Array.from(this.#ofRequests.keys()).flatMap((session) => this.#callsOf(session));
  }
}
