/** What the routes of a server, native or Consul's, may use of it: the replica, waiting, renewing, who may do what. No HTTP. */
import type { LockReplica, LockState } from "../machine/machine.js";
import type { Access } from "./access.js";
import { Availability } from "./availability.js";
import { Changes } from "./changes.js";
import { HangingCalls } from "./hanging-calls.js";
import type { ServerLimits } from "./limits.js";
import { Renewals } from "./renewals.js";

/**
 * "linearizable": what is read is not older than the call; waits for one exchange with the group, which all reads at a time share.
 * "stale": the applied state at once, possibly of the past, also without a quorum; never goes back on one replica.
 */
export type ReadConsistency = "linearizable" | "stale";

export interface ServiceParts {
  readonly replica: LockReplica;
  readonly access: Access;
  readonly limits: ServerLimits;
  readonly durable: boolean;
  /** Where clients reach it. */
  readonly host: string;
  readonly port: number;
}

export class Service {
  /** Commands go to `replica.submit`, once the principal may. */
  readonly replica: LockReplica;
  readonly access: Access;
  readonly limits: ServerLimits;
  readonly durable: boolean;
  readonly host: string;
  readonly port: number;
  /** Every new state, with its events. */
  readonly changes: Changes;
  readonly availability: Availability;
  /** Long polls. */
  readonly calls: HangingCalls;
  readonly #renewals: Renewals;

  constructor({ replica, access, limits, durable, host, port }: ServiceParts) {
    this.replica = replica;
    this.access = access;
    this.limits = limits;
    this.durable = durable;
    this.host = host;
    this.port = port;
    this.changes = new Changes(replica);
    this.availability = new Availability(replica, limits.awayMs);
    this.calls = new HangingCalls(replica, this.changes, this.availability);
    this.#renewals = new Renewals(replica, limits.renewalsAtOnce);
  }

  /** The applied state: immutable. */
  get state(): LockState {
    return this.replica.state;
  }

  /** Cluster time, milliseconds, as this replica reckons it; 0 before it knows. */
  get now(): number {
    return this.replica.inspect().now ?? 0;
  }

  read(consistency: ReadConsistency): LockState | Promise<LockState> {
    return consistency === "stale" ? this.replica.state : this.replica.query.current({ consistency: "linearizable" });
  }

  /** Resolves to false if the session has ended. Rejects as submissions do; renewing again does no harm. */
  renew(session: string): Promise<boolean> {
    return this.#renewals.renew(session);
  }

  /** Ends all that waits, and lets nothing wait any more. The replica goes on, as others may need its acknowledgements to answer. */
  endCalls(): void {
    this.availability.close();
    this.changes.close();
  }
}
