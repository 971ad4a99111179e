/**
 * Reads votequorum's votes of a ring: all of them or none. What is decided by votes must never be decided by some of them, or by numbers
 * that nobody told.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isCorosyncError, type Votequorum } from "@lockstep/corosync";
import type { VoteInfo } from "../group-transport.js";

/** The pauses between attempts to read. */
const firstPauseMs = 10;
const lastPauseMs = 1000;

export class VoteReader {
  readonly #votequorum: Pick<Votequorum, "info">;

  constructor(votequorum: Pick<Votequorum, "info">) {
    this.#votequorum = votequorum;
  }

  /**
   * Asks until votequorum answers, with growing pauses.
   * @param wanted Asked before each attempt.
   * @param failed Called once, after the first attempt that failed.
   * @returns Undefined if it was not wanted any more.
   */
  async read(nodes: readonly number[], wanted: () => boolean, failed: () => void): Promise<VoteInfo | undefined> {
    for (let pauseMs = firstPauseMs; wanted(); pauseMs = Math.min(pauseMs * 2, lastPauseMs)) {
      const votes = await this.#readOnce(nodes).catch(() => undefined);
      if (!wanted()) return undefined;
      if (votes !== undefined) return votes;
      if (pauseMs === firstPauseMs) failed();
      // A process that is about to end does not stay for it.
      await sleep(pauseMs, undefined, { ref: false });
    }
    return undefined;
  }

  async #readOnce(nodes: readonly number[]): Promise<VoteInfo> {
    const own = await this.#votequorum.info();
    const votes = new Map<number, number>();
    for (const node of nodes) {
      const known = await this.#votequorum.info(node).catch((error: unknown) => {
        if (isCorosyncError(error, "NOT_EXIST")) return undefined;
        throw error;
      });
      if (known !== undefined) votes.set(node, known.votes);
    }
    return { votes, deviceVotes: own.deviceCastsVote ? own.deviceVotes : 0, quorum: own.quorum, twoNode: own.twoNode, shrinks: own.lastManStanding || own.allowDownscale };
  }
}
