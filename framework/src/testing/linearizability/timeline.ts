/** A refused history as people read it: one line per operation, with a bar from call to return. */
import type { Model } from "./model.js";
import { isCompleted, type Operation } from "./operation.js";

/** More lines than this explain nothing: the earliest are left out. */
const maxLines = 24;
const barColumns = 32;

/** `operations` by ascending call. */
export function formatTimeline<S, I, O>(model: Model<S, I, O>, key: string, operations: readonly Operation<I, O>[]): string {
  const last = Math.max(...operations.map(({ returnMs }) => returnMs ?? Number.NEGATIVE_INFINITY));
  const shown = newest(operations);
  const bar = barOver(Math.min(...shown.map(({ callMs }) => callMs)), last);
  const rows = shown.map((operation) => [
    bar(operation), String(operation.callMs), isCompleted(operation) ? String(operation.returnMs) : "?", operation.client, describe(model, operation, last),
  ]);
  return [
    `Key ${key}: no order of its operations explains what came back (${operations.length} operations${shown.length < operations.length ? `, the last ${shown.length} shown` : ""}).`,
    ...align([["", "called", "returned", "client", "operation"], ...rows]),
  ].join("\n");
}

/** Those that ended last; of those that never did, the ones called last. */
function newest<I, O>(operations: readonly Operation<I, O>[]): readonly Operation<I, O>[] {
  const end = ({ callMs, returnMs }: Operation<I, O>): number => returnMs ?? callMs;
  const kept = new Set(operations.toSorted((a, b) => end(b) - end(a)).slice(0, maxLines));
  return operations.filter((operation) => kept.has(operation));
}

function barOver(fromMs: number, untilMs: number): (operation: Operation<unknown, unknown>) => string {
  const column = (timeMs: number): number => (untilMs === fromMs ? 0 : Math.round(((timeMs - fromMs) / (untilMs - fromMs)) * (barColumns - 1)));
  return (operation) => {
    const from = Math.max(0, column(operation.callMs));
    if (!isCompleted(operation)) return `${" ".repeat(from)}${"-".repeat(barColumns - 1 - from)}?`;
    const length = column(operation.returnMs) - from + 1;
    return " ".repeat(from) + (length === 1 ? "|" : `|${"-".repeat(length - 2)}|`);
  };
}

function describe<S, I, O>(model: Model<S, I, O>, operation: Operation<I, O>, last: number): string {
  const input = model.inputKey(operation.input);
  if (!isCompleted(operation)) return `${input} → ?`;
  return `${input} → ${model.outputKey(operation.output)}${operation.returnMs === last ? "   ← not explained" : ""}`;
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}
