/** The keys of a store's records, and which of them nobody needs any more. */

const digits = 16;
/** Above every character of a key: the end of a range. */
export const past = "~";

export interface KeyRange {
  readonly from: string;
  /** Below it. */
  readonly to: string;
}

function padded(number: number): string {
  return String(number).padStart(digits, "0");
}

export const keys = {
  identity: "identity",
  head: "head",
  base: "base",
  journal: "journal",
  unfinished: "unfinished",
  entry: (position: number): string => `log/${padded(position)}`,
  snapshot: (number: number): string => `snapshot/${padded(number)}/`,
  snapshotEnd: (number: number): string => `${keys.snapshot(number)}end`,
  slice: (number: number, index: number): string => `${keys.snapshot(number)}slice/${padded(index)}`,
} as const;

/** Entries after a position. */
export function entriesAfter(position: number): KeyRange {
  return { from: keys.entry(position + 1), to: `log/${past}` };
}

/** All entries up to a position, and all snapshots but those with these numbers. */
export function unneeded(since: number, snapshots: readonly number[]): KeyRange[] {
  const ranges: KeyRange[] = [{ from: "log/", to: keys.entry(since + 1) }];
  let from = "snapshot/";
  for (const number of Array.from(new Set(snapshots)).sort((a, b) => a - b)) {
    ranges.push({ from, to: keys.snapshot(number) });
    from = `${keys.snapshot(number)}${past}`;
  }
  return [...ranges, { from, to: `snapshot/${past}` }];
}
