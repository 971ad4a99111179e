/** Results of benchmarks: collected, printed as a table, written as JSON. */
import { writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export interface Result {
  readonly section: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** The figure of the same run that this one is a ratio to, and its name. */
  readonly against?: { readonly what: string; readonly value: number };
  /** value / against, or what the goal is about; absolute figures of shared machines promise nothing. */
  readonly ratio?: number;
  /** The ratio's, over the rounds. */
  readonly spread?: { readonly min: number; readonly max: number };
  readonly goal?: { readonly atLeast?: number; readonly atMost?: number };
}

/** What was asked for and cannot be measured here. */
export interface LeftOut {
  readonly what: string;
  /** And what to do about it. */
  readonly why: string;
}

export class Report {
  readonly #circumstances: string;
  readonly #results: Result[] = [];
  readonly #leftOut: LeftOut[] = [];

  /** @param circumstances What all of its figures were taken under. */
  constructor(circumstances: string) {
    this.#circumstances = circumstances;
  }

  add(result: Result): void {
    this.#results.push(result);
    console.error(`  ${line(result)}`);
  }

  leaveOut(leftOut: LeftOut): void {
    this.#leftOut.push(leftOut);
    console.error(`Left out: ${leftOut.what}. ${leftOut.why}`);
  }

  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  get isEmpty(): boolean {
    return this.#results.length === 0;
  }

  /** What missed its goal. */
  get missed(): readonly Result[] {
    return this.#results.filter((result) => !meetsGoal(result));
  }

  print(): void {
    let section = "";
    console.log(`\n${this.#circumstances}`);
    for (const result of this.#results) {
      if (result.section !== section) console.log(`\n${(section = result.section)}`);
      console.log(`  ${line(result)}`);
    }
  }

  writeJson(file: string): void {
    const machine = { cpus: cpus().length, model: cpus()[0]?.model, memoryGb: Math.round(totalmem() / 2 ** 30), kernel: release(), node: process.version };
    writeFileSync(file, `${JSON.stringify({ machine, circumstances: this.#circumstances, leftOut: this.#leftOut, results: this.#results }, undefined, 2)}\n`);
  }
}

function line(result: Result): string {
  const { what, value, unit, against, ratio, spread, goal } = result;
  const parts = [what.padEnd(58), `${format(value)} ${unit}`.padStart(20)];
  if (against !== undefined) parts.push(`${against.what} ${format(against.value)}`.padStart(28));
  if (ratio !== undefined) parts.push(`ratio ${ratio.toFixed(2)}${spread === undefined ? "" : ` (${spread.min.toFixed(2)} to ${spread.max.toFixed(2)})`}`);
  const verdict = meetsGoal(result) ? "" : ", missed";
  if (goal?.atLeast !== undefined) parts.push(`(goal: at least ${goal.atLeast}${verdict})`);
  if (goal?.atMost !== undefined) parts.push(`(goal: at most ${goal.atMost}${verdict})`);
  return parts.join("  ");
}

/** A figure without a goal misses none; one that is no number misses any. */
function meetsGoal({ value, ratio = value, goal: { atLeast, atMost } = {} }: Result): boolean {
  return (atLeast === undefined || ratio >= atLeast) && (atMost === undefined || ratio <= atMost);
}

function format(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Of figures that were taken in turns: the medians, and the ratio of each pair. */
export function compare(ours: readonly number[], others: readonly number[]): { value: number; other: number; ratio: number; spread: { min: number; max: number } } {
  const ratios = ours.map((value, round) => value / (others[round] ?? Number.NaN));
  return { value: median(ours), other: median(others), ratio: median(ratios), spread: { min: Math.min(...ratios), max: Math.max(...ratios) } };
}
