/** What this replica has to say in a view, made into entries: its submissions, who the members are, and now and then the time alone. */
import type { ClusterClock } from "../apply/cluster-clock.js";
import { encodeCommands, encodeMembers, type EntryHeader } from "../codec/entry-codec.js";
import type { CoreEvent } from "../core/events.js";
import { canPropose, inFlight } from "../core/replicate.js";
import type { CoreState } from "../core/state.js";
import type { Limits } from "../limits.js";
import type { ReplicaIdentity } from "../log/entry.js";
import { MembersNotice } from "./members-notice.js";
import type { Submissions } from "./submissions.js";
import type { Timekeeper } from "./timekeeper.js";

export interface ProposerParts {
  readonly core: CoreState;
  readonly submissions: Submissions;
  readonly clock: ClusterClock;
  readonly timekeeper: Timekeeper;
  readonly limits: Pick<Limits, "inFlightBatches" | "silenceTimeoutMs">;
  readonly tellCore: (event: CoreEvent) => void;
}

export class Proposer {
  readonly #parts: ProposerParts;
  readonly #membersNotice: MembersNotice;
  #lastN = 0;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
    this.#membersNotice = new MembersNotice(parts.limits.silenceTimeoutMs);
  }

  viewInstalled(members: readonly ReplicaIdentity[]): void {
    const { core } = this.#parts;
    this.#membersNotice.viewInstalled(members, core.config.slot, core.view?.target.position ?? 0, core.nowMs);
  }

  /** This replica is the one to send the entry about these. */
  announce(members: readonly ReplicaIdentity[]): void {
    this.#membersNotice.send(members);
  }

  /** An entry about members was applied. */
  announced(position: number): void {
    this.#membersNotice.applied(position);
  }

  tick(nowMs: number): void {
    if (canPropose(this.#parts.core)) this.#membersNotice.tick(nowMs);
  }

  /** Sends what waits, as far as the window allows. */
  flush(): void {
    const { core, submissions, clock, timekeeper, limits } = this.#parts;
    if (!canPropose(core)) return;
    const members = this.#membersNotice.take();
    if (members !== undefined) this.#proposeMembers(members);
    // Until the first entry of a group is applied there is no cluster time to stamp others with.
    if (clock.now() === undefined) return;
    const clear = timekeeper.clear();
    while (submissions.pressing(clear) && inFlight(core) < limits.inFlightBatches) this.#proposeBatch(clear);
  }

  /** An entry for its time alone, which fires timers; none while others wait for a quorum, or the log would fill with them. */
  proposeTick(): void {
    const { core, clock, timekeeper } = this.#parts;
    const quiet = inFlight(core) === 0 && core.log.end === core.committed;
    if (quiet && canPropose(core) && clock.now() !== undefined) this.#proposeBatch(timekeeper.clear());
  }

  #proposeMembers(members: readonly ReplicaIdentity[]): void {
    const record = encodeMembers(this.#header(), members);
    this.#parts.tellCore({ type: "propose", record });
    // It tells of this view only: sent again in the next one it would contradict that one's own.
    this.#parts.tellCore({ type: "abandon", n: record.n });
  }

  #proposeBatch(clear: number): void {
    const header = this.#header();
    this.#parts.tellCore({ type: "propose", record: encodeCommands(header, this.#parts.submissions.take(header.n, clear)) });
  }

  #header(): EntryHeader {
    const { slot, incarnation } = this.#parts.core.config;
    this.#lastN++;
    return { origin: { slot, incarnation }, n: this.#lastN, timeMs: this.#parts.clock.start() };
  }
}
