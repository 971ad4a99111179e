/**
 * The replica's role as its clients should see it. One that joins for the first time has the group's data soon: they may wait. One
 * that was in its group and joins again has lost the way to it, as when its Corosync daemon dies: when that ends nobody knows.
 */
import type { ReplicaRole } from "@lockstep/framework";
import type { KvReplica } from "../machine/machine.js";

/** "lost": joining again. */
export type ServingRole = ReplicaRole | "lost";

export class Standing {
  readonly #replica: Pick<KvReplica, "role">;
  #wasInGroup = false;

  constructor(replica: Pick<KvReplica, "role" | "onRoleChange">) {
    this.#replica = replica;
    const look = (): void => { this.#wasInGroup ||= replica.role !== "joining"; };
    replica.onRoleChange(look);
    look();
  }

  get role(): ServingRole {
    const { role } = this.#replica;
    return role === "joining" && this.#wasInGroup ? "lost" : role;
  }
}
