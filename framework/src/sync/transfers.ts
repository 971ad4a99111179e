/**
 * The transfers of one membership: those given, paced by the group's own deliveries, and the one taken in.
 *
 * A chunk more is sent when an earlier one has been delivered back: so transfers take the rate that the ring has left,
 * a slice is serialised between deliveries, and nothing piles up behind commands.
 */
import { isLockstepError } from "../errors.js";
import type { Applier, RestoredState } from "../apply/types.js";
import type { CoreEvent, Effect } from "../core/events.js";
import type { ChunkMessage, Message } from "../core/messages.js";
import { equalBallots } from "../core/ballot.js";
import type { Limits } from "../limits.js";
import type { Logger } from "../logger.js";
import type { Log } from "../log/log.js";
import { Donation, type DonateEffect, type DonorParts } from "./donation.js";
import { Reception, type Received } from "./reception.js";

/** Since the replica was made. */
export interface TransferTotals {
  /** Bytes of chunks multicast for others, and taken in from them. */
  transferBytesGiven: number;
  transferBytesTaken: number;
}

export interface TransferParts {
  readonly log: Log;
  readonly applier: Pick<Applier<unknown>, "capture" | "receive">;
  readonly entriesBetween: DonorParts["entriesBetween"];
  readonly limits: Pick<Limits, "snapshotSliceBytes" | "incrementalBytes" | "inFlightChunks">;
  readonly logger: Logger;
  readonly incarnation: string;
  readonly totals: TransferTotals;
  readonly send: (message: Message) => void;
  /** The way to the transport is blocked: send no chunk now. */
  readonly blocked: () => boolean;
  readonly tellCore: (event: CoreEvent) => void;
}

export class Transfers {
  readonly #parts: TransferParts;
  #donations: Donation[] = [];
  #ballot: DonateEffect["ballot"] | undefined;
  #inFlight = 0;
  #reception: Reception | undefined;
  #staged: RestoredState | undefined;

  constructor(parts: TransferParts) {
    this.#parts = parts;
  }

  donate(request: DonateEffect): void {
    if (this.#ballot === undefined || !equalBallots(this.#ballot, request.ballot)) this.#inFlight = 0;
    this.#ballot = request.ballot;
    this.stopDonating(request.to);
    const donation = this.#give(request.to, () => new Donation(request, this.#parts));
    if (donation !== undefined) this.#donations.push(donation);
    this.pump();
  }

  /** A member that asks again has given up the earlier transfer, whoever gave it. */
  stopDonating(to: number): void {
    this.#donations = this.#donations.filter((donation) => donation.to !== to);
  }

  expect({ ballot, turn, again }: Extract<Effect, { type: "receiveTransfer" }>): void {
    if (again !== undefined) this.#parts.logger.warn({ turn, why: again }, "the transfer to this replica came to nothing, and is asked for again");
    this.#reception = new Reception(ballot, turn, this.#parts.applier);
  }

  /** The view is over, and its transfers with it. */
  cancel(): void {
    this.#donations = [];
    this.#ballot = undefined;
    this.#inFlight = 0;
    this.#reception = undefined;
  }

  /** Sends what there is room for, the donations in turn. */
  pump(): void {
    while (this.#inFlight < this.#parts.limits.inFlightChunks && !this.#parts.blocked()) {
      const donation = this.#donations.shift();
      if (donation === undefined) return;
      const chunk = this.#give(donation.to, () => donation.next());
      if (chunk === undefined) continue;
      this.#donations.push(donation);
      this.#inFlight++;
      this.#parts.totals.transferBytesGiven += chunk.payload.byteLength;
      this.#parts.send(chunk);
    }
  }

  /**
   * undefined: there is nothing more to give; if it was not all, the member asks another donor after a while. What cannot be read from the
   * disk, or not be written as bytes, is no reason for this replica to stop: it only gives.
   */
  #give<T>(to: number, make: () => T | undefined): T | undefined {
    try {
      return make();
    } catch (error) {
      if (isLockstepError(error, "INVARIANT_VIOLATED")) throw error;
      this.#parts.logger.error({ to, error: error instanceof Error ? error.message : String(error) }, "a transfer to a member was broken off");
      return undefined;
    }
  }

  delivered(fromSelf: boolean, toSelf: boolean, chunk: ChunkMessage): void {
    if (fromSelf && this.#ballot !== undefined && equalBallots(this.#ballot, chunk.ballot)) {
      this.#inFlight = Math.max(0, this.#inFlight - 1);
      this.pump();
    }
    if (toSelf && this.#reception !== undefined) this.#take(this.#reception, chunk);
  }

  #take(reception: Reception, chunk: ChunkMessage): void {
    try {
      const progress = reception.accept(chunk);
      if (progress.kind !== "notMine") this.#parts.totals.transferBytesTaken += chunk.payload.byteLength;
      if (progress.kind === "more") this.#parts.tellCore({ type: "transferProgress" });
      if (progress.kind === "whole") this.#stage(progress.received);
    } catch (error) {
      if (!isLockstepError(error, "MALFORMED_MESSAGE")) throw error;
      this.#reception = undefined;
      this.#parts.tellCore({ type: "transferFailed", reason: error.message });
    }
  }

  #stage({ mode, from, entries, restored }: Received): void {
    this.#reception = undefined;
    this.#staged = restored;
    const lastAppliedN = restored?.lastApplied(this.#parts.incarnation) ?? 0;
    this.#parts.tellCore({ type: "transferred", transfer: { mode, from, entries, lastAppliedN } });
  }

  /** The staged state, once: the core has decided to switch to it. */
  takeStaged(): RestoredState | undefined {
    const staged = this.#staged;
    this.#staged = undefined;
    return staged;
  }
}
