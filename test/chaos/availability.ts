/** When a majority is together and undisturbed, and how long it leaves its clients without an answer. */

export interface NodeHealth {
  readonly linkDown: boolean;
  /** Nodes whose packets do not reach this one. */
  readonly deafTo: readonly number[];
  readonly daemonRuns: boolean;
  /** Its process runs and remembers (memory-account.ts). */
  readonly replicaIsWell: boolean;
}

/**
 * Whether the replicas of one ring can be a majority: of nodes that all hear each other, both ways, and that nobody else hears or is heard
 * by. A node that hears only some of the others keeps breaking their ring: with it nobody is together. Loss of packets is not
 * looked at: what is lost is sent again.
 */
export function majorityTogether(nodes: ReadonlyMap<number, NodeHealth>): boolean {
  const running = Array.from(nodes.keys()).filter((id) => nodes.get(id)?.daemonRuns === true);
  return components(nodes, running).some((component) => {
    const complete = component.every((a) => component.every((b) => hears(nodes, a, b)));
    const well = component.filter((id) => nodes.get(id)?.replicaIsWell === true);
    return complete && well.length > nodes.size / 2;
  });
}

/** Nodes that are connected, be it one way or through others. */
function components(nodes: ReadonlyMap<number, NodeHealth>, ids: readonly number[]): number[][] {
  const left = new Set(ids);
  const found: number[][] = [];
  for (const id of ids) {
    if (!left.delete(id)) continue;
    const component = [id];
    for (const member of component) {
      for (const other of Array.from(left)) {
        if (!hears(nodes, member, other) && !hears(nodes, other, member)) continue;
        left.delete(other);
        component.push(other);
      }
    }
    found.push(component);
  }
  return found;
}

function hears(nodes: ReadonlyMap<number, NodeHealth>, listener: number, speaker: number): boolean {
  if (listener === speaker) return true;
  const [a, b] = [nodes.get(listener), nodes.get(speaker)];
  return a !== undefined && b !== undefined && !a.linkDown && !b.linkDown && !a.deafTo.includes(speaker);
}

export interface Silence {
  readonly ms: number;
  /** From here on, nobody was answered. */
  readonly fromMs: number;
}

/** The times during which a majority was together, one after the other. */
export class Togetherness {
  readonly #spans: { readonly fromMs: number; untilMs: number | undefined }[] = [];

  update(together: boolean, nowMs: number): void {
    const last = this.#spans.at(-1);
    if (last !== undefined && last.untilMs === undefined) {
      if (!together) last.untilMs = nowMs;
    } else if (together) {
      this.#spans.push({ fromMs: nowMs, untilMs: undefined });
    }
  }

  /** The longest time without an answer while a majority was together. @param answersMs ascending */
  longestSilence(answersMs: readonly number[], endMs: number): Silence {
    let longest: Silence = { ms: 0, fromMs: 0 };
    let next = 0;
    for (const { fromMs, untilMs = endMs } of this.#spans) {
      while ((answersMs[next] ?? Infinity) < fromMs) next++;
      let since = fromMs;
      while (since < untilMs) {
        const until = Math.min(answersMs[next] ?? Infinity, untilMs);
        if (until - since > longest.ms) longest = { ms: until - since, fromMs: since };
        since = until;
        if (until < untilMs) next++;
      }
    }
    return longest;
  }
}
