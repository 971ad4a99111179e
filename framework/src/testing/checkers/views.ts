/** Invariants 2, 3 and 7: primary views, what is committed in them, and what is verified in their ballots. */
import { compareBallots, formatBallot, type Ballot } from "../../core/ballot.js";
import type { Effect } from "../../core/events.js";
import type { CoreState } from "../../core/state.js";
import type { LogPoint } from "../../log/log.js";
import { formatPoint } from "../format.js";
import { violated } from "./violation.js";

/** A primary view, and the highest position that anybody has seen committed in it. */
interface SeenView {
  readonly ballot: Ballot;
  readonly target: LogPoint;
  readonly members: string;
  committed: number;
}

export class ViewChecker {
  readonly #views = new Map<string, SeenView>();
  /** Hash by ballot and verified position. */
  readonly #verified = new Map<string, string>();
  readonly #lastVerified = new WeakMap<CoreState, string>();
  commits = 0;

  get views(): number {
    return this.#views.size;
  }

  stepped(who: string, core: CoreState, effects: readonly Effect[]): void {
    this.#checkVerified(who, core);
    for (const effect of effects) {
      if (effect.type === "viewInstalled") this.#installed(core, effect.ballot);
      else if (effect.type === "committed") this.#committed(who, core, effect.through);
    }
  }

  /** All verified prefixes of one ballot are prefixes of each other. */
  #checkVerified(who: string, core: CoreState): void {
    const claim = `${formatBallot(core.ballot)}|${core.verified}`;
    if (this.#lastVerified.get(core) === claim) return;
    this.#lastVerified.set(core, claim);
    const hash = core.log.hashAt(core.verified) ?? violated("invariant 7", `${who} verified position ${core.verified}, which its log does not hold`);
    const known = this.#verified.get(claim);
    if (known === undefined) this.#verified.set(claim, hash);
    else if (known !== hash) violated("invariant 7", `${who} verified ${hash.slice(0, 6)} at ${claim}, where another verified ${known.slice(0, 6)}`);
  }

  #installed({ view }: CoreState, ballot: Ballot): void {
    // The replica stops in the same step.
    if (view === undefined) return;
    const members = view.members.map(({ slot, incarnation }) => `${slot}/${incarnation}`).join();
    const known = this.#views.get(formatBallot(ballot));
    if (known === undefined) {
      const seen = { ballot, target: view.target, members, committed: 0 };
      this.#views.set(formatBallot(ballot), seen);
      for (const other of this.#views.values()) checkOrder(other, seen);
    } else if (known.target.hash !== view.target.hash || known.target.position !== view.target.position || known.members !== members) {
      violated("invariant 3", `ballot ${formatBallot(ballot)} was decided twice: with ${formatPoint(known.target)} for ${known.members}, and with ${formatPoint(view.target)} for ${members}`);
    }
  }

  #committed(who: string, { view }: CoreState, through: number): void {
    this.commits++;
    if (view === undefined) violated("invariant 3", `${who} commits outside a view`);
    const seen = this.#views.get(formatBallot(view.ballot)) ?? violated("invariant 3", `${who} commits in ballot ${formatBallot(view.ballot)}, which nobody installed`);
    if (through <= seen.committed) return;
    seen.committed = through;
    for (const other of this.#views.values()) checkOrder(seen, other);
  }
}

/** What was committed in the lower ballot is in the log that the higher one starts from. */
function checkOrder(a: SeenView, b: SeenView): void {
  const [lower, higher] = compareBallots(a.ballot, b.ballot) < 0 ? [a, b] : [b, a];
  if (lower === higher || lower.committed <= higher.target.position) return;
  violated("invariant 2", `position ${lower.committed} is committed in ballot ${formatBallot(lower.ballot)}; ballot ${formatBallot(higher.ballot)} starts from ${formatPoint(higher.target)}`);
}
