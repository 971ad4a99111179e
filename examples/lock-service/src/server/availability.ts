/**
 * Whether it is worth waiting at this replica. A change of members is waited out; one that has been without its quorum or its group for
 * more than a moment cannot say when anything will happen, and another one may know.
 */
import type { ReplicaRole } from "@lockstep/framework";
import type { LockReplica } from "../machine/machine.js";
import { ServiceError } from "./errors.js";

export class Availability {
  readonly #replica: LockReplica;
  readonly #awayMs: number;
  readonly #listeners = new Set<(refusal: ServiceError) => void>();
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #refusal: ServiceError | undefined;

  constructor(replica: LockReplica, awayMs: number) {
    this.#replica = replica;
    this.#awayMs = awayMs;
    this.#stopListening = replica.onRoleChange(() => this.#look());
    this.#look();
  }

  /** Why nobody should wait here; undefined if they may. */
  get refusal(): ServiceError | undefined {
    return this.#refusal;
  }

  /** Calls back when waiting has become pointless. */
  listen(listener: (refusal: ServiceError) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  close(): void {
    this.#stopListening();
    this.#refuse(new ServiceError("STOPPING", "this replica is being stopped"));
  }

  #look(): void {
    const { role } = this.#replica;
    const refusal = refusalOf(role, this.#replica.inspect().reason);
    if (refusal === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#refusal = undefined;
    } else if (role === "stopped") {
      this.#refuse(refusal);
    } else if (this.#refusal === undefined) {
      this.#timer ??= setTimeout(() => this.#refuse(refusalOf(this.#replica.role, this.#replica.inspect().reason) ?? refusal), this.#awayMs).unref();
    }
  }

  #refuse(refusal: ServiceError): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#refusal = refusal;
    for (const listener of this.#listeners) listener(refusal);
  }
}

function refusalOf(role: ReplicaRole, reason: string | undefined): ServiceError | undefined {
  switch (role) {
    case "active":
    case "changing": return undefined;
    case "minority": return new ServiceError("NO_QUORUM", `this replica is cut off from the majority${reason === undefined ? "" : `: ${reason}`}; what was asked for before stays as it is`);
    case "joining":
    case "synchronising": return new ServiceError("NOT_READY", `this replica is ${role}; ask another one`);
    case "stopped": return new ServiceError("STOPPING", "this replica has stopped");
    default: return role satisfies never;
  }
}
