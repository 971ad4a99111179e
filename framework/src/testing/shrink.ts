/**
 * The shortest history that still fails: moments are left out, halves first, then smaller pieces, as long as the same rule is
 * broken without them (Zeller's delta debugging). Each moment has its own chance, so that the others stay what they were.
 */
import { Violation } from "./checkers/violation.js";
import { runHistory, type HistoryOptions } from "./history.js";

export interface Shrunk {
  readonly violation: Violation;
  readonly without: ReadonlySet<number>;
  /** Moments that are left. */
  readonly moments: number;
  readonly tries: number;
}

const maxTries = 500;

/** `moments`: how many the failing history has. */
export async function shrink(options: Omit<HistoryOptions, "trace" | "without">, violation: Violation, moments: number): Promise<Shrunk> {
  let kept = Array.from({ length: moments }, (_, at) => at);
  let found = violation;
  let tries = 0;
  const fails = async (candidate: readonly number[]): Promise<boolean> => {
    tries++;
    const failure = await violationOf({ ...options, without: complement(candidate, moments) });
    if (failure?.rule !== violation.rule) return false;
    found = failure;
    return true;
  };
  for (let pieces = 2; kept.length > 0 && pieces <= 2 * kept.length && tries < maxTries;) {
    const size = Math.ceil(kept.length / pieces);
    let shorter = false;
    for (let from = 0; from < kept.length && tries < maxTries;) {
      const candidate = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await fails(candidate)) {
        kept = candidate;
        shorter = true;
      } else from += size;
    }
    if (size === 1 && !shorter) break;
    pieces = shorter ? Math.max(2, Math.floor(pieces / 2)) : pieces * 2;
  }
  return { violation: found, without: complement(kept, moments), moments: kept.length, tries };
}

/** undefined if the history goes well. */
export async function violationOf(options: HistoryOptions): Promise<Violation | undefined> {
  try {
    await runHistory(options);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error;
    throw error;
  }
}

function complement(kept: readonly number[], moments: number): ReadonlySet<number> {
  const those = new Set(kept);
  return new Set(Array.from({ length: moments }, (_, at) => at).filter((at) => !those.has(at)));
}
