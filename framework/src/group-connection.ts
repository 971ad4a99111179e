/**
 * A replica's connection to its group: one membership after another, each an incarnation of its own. When the transport is
 * lost and can be renewed, it comes back as a new member, with the log and what the last core knew.
 */
import { LockstepError } from "./errors.js";
import type { ClusterClock } from "./apply/cluster-clock.js";
import { DigestCheck } from "./apply/digest-check.js";
import type { AppliedEntry } from "./apply/types.js";
import { isIncarnation } from "./codec/checks.js";
import type { ReplicaParts } from "./container.js";
import type { CoreEvent, Phase } from "./core/events.js";
import { initialCore, recoveredCore, resumedCore, type CoreConfig, type CoreState } from "./core/state.js";
import type { Log } from "./log/log.js";
import type { Persistence } from "./log/persistence.js";
import type { Recovered } from "./log/store.js";
import { Membership, type ConnectionTotals } from "./membership.js";
import type { Cancel } from "./scheduler.js";
import type { Submissions } from "./submit/submissions.js";
import type { GroupListener, GroupTransport } from "./transport/group-transport.js";

/** The pauses between attempts to come back to a group that was lost. */
const firstReconnectMs = 250;
const lastReconnectMs = 5_000;

export interface ConnectionParts {
  readonly parts: ReplicaParts;
  readonly group: string;
  readonly slots: readonly number[];
  readonly machine: { readonly name: string; readonly version: number };
  readonly submissions: Submissions;
  readonly clock: ClusterClock;
  readonly persistence: Persistence | undefined;
  readonly phaseChanged: (phase: Phase, reason: string | undefined) => void;
  readonly applied: (entry: AppliedEntry, bytes: Uint8Array) => void;
  readonly stateReplaced: (position: number) => void;
  /** The group is lost for now; the connection tries to come back. */
  readonly lost: (cause: Error) => void;
  /** For good. */
  readonly failed: (error: Error) => void;
}

export class GroupConnection {
  readonly #all: ConnectionParts;
  #transport: GroupTransport;
  /** Its join() is under way, or was done here: what another replica joined is not for this one to close. */
  #joined: GroupTransport | undefined;
  #membership: Membership | undefined;
  /** What the last membership knew, for the next one. */
  #lastCore: CoreState | undefined;
  /** What a durable replica found on its disk. */
  #recovered: Recovered | undefined;
  /** News from the disk that came between two memberships. */
  #diskNews: CoreEvent[] = [];
  #digestCheck: DigestCheck | undefined;
  #cancelReconnect: Cancel | undefined;
  #lastTickMs: number;
  #coreTimeMs = 0;
  readonly totals: ConnectionTotals = { viewChanges: 0, transferBytesGiven: 0, transferBytesTaken: 0 };
  #closed = false;

  constructor(all: ConnectionParts) {
    this.#all = all;
    this.#transport = all.parts.transport;
    this.#lastTickMs = all.parts.clock.monotonicMs();
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** Of the present membership, or of the last one. */
  get core(): CoreState | undefined {
    return this.#membership?.core ?? this.#lastCore;
  }

  /** Before open(): what the disk holds. */
  begin(recovered: Recovered): void {
    this.#recovered = recovered;
  }

  /** Resolves when this replica is a member. */
  async open(): Promise<void> {
    const transport = this.#transport;
    this.#joined = transport;
    try {
      await transport.join(this.#all.group, this.#listener());
    } catch (error) {
      if (this.#joined === transport) this.#joined = undefined;
      throw error;
    }
  }

  /** For the core of now, or the next one. */
  tellCore(event: CoreEvent): void {
    if (this.#membership === undefined) this.#diskNews.push(event);
    else this.#membership.tellCore(event);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelReconnect?.();
    this.#leaveMembership();
    await this.#joined?.close();
  }

  tick(): void {
    const { clock, limits } = this.#all.parts;
    const now = clock.monotonicMs();
    // A process that was stopped for a minute has not waited a minute for the others: what they sent lies unread.
    this.#coreTimeMs += Math.min(now - this.#lastTickMs, 5 * limits.tickMs);
    this.#lastTickMs = now;
    this.#membership?.tick(this.#coreTimeMs);
  }

  /** A listener that hears one transport only; what comes before the first configuration is kept for the core that it makes. */
  #listener(): GroupListener {
    const transport = this.#transport;
    let membership: Membership | undefined;
    const early: ((to: Membership) => void)[] = [];
    const tell = (call: (to: Membership) => void): void => {
      if (this.#closed || this.#transport !== transport) return;
      if (membership === undefined) early.push(call);
      else call(membership);
    };
    return {
      deliver: (messages) => tell((to) => to.deliver(messages)),
      configurationChanged: (change) => {
        const self = change.joined[0];
        if (membership === undefined && self !== undefined && !this.#closed && this.#transport === transport) membership = this.#enter(self.nodeId);
        tell((to) => to.configurationChanged(change));
        if (membership !== undefined) for (const call of early.splice(0)) tell(call);
      },
      ringChanged: (ring, nodes) => tell((to) => to.ringChanged(ring, nodes)),
      quorumChanged: (quorate, ring, votes) => tell((to) => to.quorumChanged(quorate, ring, votes)),
      writable: () => tell((to) => to.writable()),
      closed: (error) => {
        if (!this.#closed && this.#transport === transport) this.#groupLost(error);
      },
    };
  }

  #enter(slot: number): Membership | undefined {
    const { parts, slots, machine, submissions, clock, persistence, phaseChanged, applied, stateReplaced, failed } = this.#all;
    const { limits, logger, policy, applier, scheduler, observer } = parts;
    if (!slots.includes(slot)) {
      failed(new LockstepError("CONFIGURATION_INVALID", `this node's id is ${slot}, which is not one of the slots ${slots.join(", ")}`));
      return undefined;
    }
    const before = this.#lastCore?.config.slot;
    if (before !== undefined && before !== slot) {
      // What was promised and stored was the other slot's.
      failed(new LockstepError("CONFIGURATION_INVALID", `this node's id was ${before} and is ${slot} now: a replica does not change its slot. Start it anew, with a directory of node ${slot} if it has one`));
      return undefined;
    }
    const incarnation = parts.newIncarnation();
    if (!isIncarnation(incarnation)) {
      // The others could read no message of it.
      failed(new LockstepError("CONFIGURATION_INVALID", `newIncarnation() must make an id of 16 hexadecimal digits (0-9, a-f), not ${JSON.stringify(incarnation)}`));
      return undefined;
    }
    const config: CoreConfig = {
      slot, slots, policy, durability: persistence === undefined ? "memory" : "disk", incarnation, machine: machine.name, version: machine.version,
      silenceTimeoutMs: limits.silenceTimeoutMs, transferTimeoutMs: limits.transferTimeoutMs,
      heldBytes: limits.heldBytes, logRetentionBytes: limits.logRetentionBytes, unwrittenBytes: limits.unwrittenBytes,
    };
    const core = this.#lastCore === undefined ? firstCore(config, this.#recovered, parts.log) : resumedCore(config, this.#lastCore);
    core.nowMs = this.#coreTimeMs;
    this.#digestCheck = this.#makeDigestCheck(slot);
    const membership = new Membership({
      core, transport: this.#transport, applier, limits, logger, scheduler, observer, submissions, clock, persistence, digestCheck: this.#digestCheck,
      totals: this.totals, phaseChanged, applied, stateReplaced, failed,
    });
    this.#membership = membership;
    for (const event of this.#diskNews.splice(0)) membership.tellCore(event);
    return membership;
  }

  #makeDigestCheck(ownSlot: number): DigestCheck {
    const { parts: { applier, limits, logger, scheduler }, slots } = this.#all;
    return new DigestCheck({
      applier, scheduler, slots, ownSlot, active: () => Array.from(this.core?.acks.keys() ?? []), intervalMs: limits.digestIntervalMs,
      announce: (position, digest) => this.#membership?.announceDigest(position, digest),
      differs: (position, own, others) => {
        logger.error({ position, own, others, slot: ownSlot }, "this replica's state differs from the group's: is a handler not deterministic? It is thrown away and taken from another replica");
        this.#digestCheck?.reset();
        this.#membership?.stateDiffers(position);
      },
      failed: (error) => this.#membership?.fail(error),
      undecided: (position) => logger.error({ position }, "the replicas' states differ, and no majority has the same: is a handler not deterministic?"),
    });
  }

  /** The transport is gone: come back as a new member if it can be renewed, else end. */
  #groupLost(error: Error | undefined): void {
    const cause = error ?? new LockstepError("TRANSPORT_CLOSED", "the transport was closed");
    this.#leaveMembership();
    if (!this.#renew()) return this.#all.failed(cause);
    const { logger } = this.#all.parts;
    logger.warn({ error: cause.message }, "the group was lost; this replica tries to come back");
    this.#all.lost(cause);
    this.#comeBack(firstReconnectMs);
  }

  #leaveMembership(): void {
    if (this.#membership === undefined) return;
    this.#lastCore = this.#membership.core;
    this.#membership.close();
    this.#membership = undefined;
    this.#digestCheck?.reset();
  }

  /** False for a transport that cannot come back. */
  #renew(): boolean {
    const old = this.#transport;
    const fresh = old.renew?.();
    if (fresh === undefined) return false;
    this.#transport = fresh;
    this.#joined = undefined;
    old.close().catch((error: unknown) => {
      this.#all.parts.logger.warn({ error: String(error) }, "a transport that was lost could not be closed");
    });
    return true;
  }

  #comeBack(pauseMs: number): void {
    if (this.#closed) return;
    this.#cancelReconnect?.();
    this.#cancelReconnect = this.#all.parts.scheduler.after(pauseMs, () => {
      const mine = this.#transport;
      void this.open().catch((error: unknown) => {
        // One that had joined, and was lost before join() said so, has told closed(): the next one is under way, or is a member already.
        if (this.#closed || this.#transport !== mine) return;
        this.#leaveMembership();
        if (this.#renew()) this.#comeBack(Math.min(lastReconnectMs, pauseMs * 2));
        else this.#all.failed(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }
}

function firstCore(config: CoreConfig, recovered: Recovered | undefined, log: Log): CoreState {
  return recovered === undefined ? initialCore(config, log) : recoveredCore(config, recovered, log);
}
