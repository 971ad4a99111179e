/** What a run with locks comes to, in numbers: printed, and written as JSON. */
import type { FaultKind } from "../fault.js";
import { seconds } from "../report.js";
import type { Durability } from "../server.js";
import type { LockCounts, LockFindings } from "./checks.js";
import type { NodeDeath } from "./node-death.js";

export interface LockReport extends LockCounts {
  readonly system: "lockstep-lock";
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly durability: Durability;
  /** The resource refuses tokens that are too old. */
  readonly tokens: boolean;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly faultsSkipped: number;
  readonly clients: { readonly stops: number; readonly stumbles: number; readonly kills: number };
  /** How clients' calls ended. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly found: Readonly<Record<keyof LockFindings, number>>;
  readonly sessionsEnded: Readonly<Record<string, number>>;
  readonly nodeDeaths: readonly NodeDeath[];
  /** From the end of the last fault. */
  readonly allActiveAfterMs: number | undefined;
  /** What was waited for in vain, of: one ring, all active, every waiter answered, no session left, all replicas alike. */
  readonly notAtRest: string | undefined;
  readonly accidents: readonly string[];
}

export interface LockRunResult {
  readonly report: LockReport;
  readonly findings: LockFindings;
}

/** What tokens prevent, and nothing else does. */
const preventedByTokens: ReadonlySet<string> = new Set(["lateWrites", "overlappingSections"] satisfies (keyof LockFindings)[]);

export function formatLockReport(report: LockReport): string {
  const { seed, nodes, minutes, durability, tokens, faults, faultsSkipped, clients, outcomes, found, sessionsEnded, nodeDeaths, leastMarginMs } = report;
  const rows: readonly (readonly [string, string | number])[] = [
    ["grants", report.grants],
    ["writes accepted by the resource", report.writesAccepted],
    ["writes refused for their tokens", report.writesRefused],
    ["late writes accepted", found.lateWrites],
    ["sections that overlapped by writes", found.overlappingSections],
    ["tokens granted twice or out of order", found.tokens],
    ["incompatible holders in the log", found.incompatibleHolders],
    ["waiters overtaken", found.overtaken],
    ["grants that the service does not know", found.unknownGrants],
    ["clients that believed too long", found.beliefs],
    ["the same, of bound sessions (not promised)", report.beliefsPastReplica],
    ["events missing or told differently", found.events],
    ["from the last belief to the end of an expired lease", leastMarginMs === undefined ? "none expired in a section" : `${leastMarginMs.toFixed(0)} ms at least`],
    ["all active after the last fault", report.allActiveAfterMs === undefined ? "never" : `after ${seconds(report.allActiveAfterMs)}`],
    ["every waiter answered, no session left, replicas alike", report.notAtRest === undefined ? "yes" : "no"],
    ["ended by themselves", report.accidents.length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    `locks, seed ${seed}, ${nodes} nodes, ${minutes} min, state ${durability === "disk" ? "on disk" : "in memory"}, ${tokens ? "a resource that checks tokens" : "a resource that accepts everything"}`,
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...(["bound", "lease"] as const).map((kind) => formatDeaths(kind, nodeDeaths.filter(({ bound }) => bound === (kind === "bound")))),
    `faults: ${list(faults)}; skipped ${faultsSkipped}; clients: ${clients.stops} stopped at any moment, ${clients.stumbles} between look and write, ${clients.kills} killed`,
    `calls of the clients that were left in the end: ${list(outcomes)}; sessions ended: ${list(sessionsEnded)}`,
  ].join("\n");
}

function formatDeaths(kind: "bound" | "lease", deaths: readonly NodeDeath[]): string {
  const what = kind === "bound" ? "a bound session's" : "a lease's";
  if (deaths.length === 0) return `from the death of ${what} node to the next grant: not measured`;
  const longest = deaths.reduce((a, b) => (b.toNextGrantMs > a.toNextGrantMs ? b : a));
  const made = kind === "bound" ? "token timeout, consensus and a second" : `the same, and the TTL of ${seconds(longest.ttlMs)}`;
  return `from the death of ${what} node to the next grant: ${deaths.map(({ toNextGrantMs }) => seconds(toNextGrantMs)).join(", ")}; longest ${Math.round(longest.toNextGrantMs)} ms of at most ${longest.limitMs} (${made})`;
}

/** What is not as promised, as sentences; the first few of each kind. Unhurried: whatever time it took. */
export function lockViolations({ report, findings }: LockRunResult, { hurried }: { readonly hurried: boolean }): string[] {
  const few = 5;
  const found = Object.entries(findings).filter(([kind]) => report.tokens || !preventedByTokens.has(kind)).flatMap(([kind, all]: [string, readonly string[]]) =>
    [...all.slice(0, few).map((what) => `${kind}: ${what}`), ...(all.length > few ? [`${kind}: ${all.length - few} more`] : [])]);
  for (const { node, bound, toNextGrantMs, limitMs } of report.nodeDeaths) {
    if (hurried && toNextGrantMs > limitMs) found.push(`node death: ${Math.round(toNextGrantMs)} ms from the death of node ${node} to the next grant (${bound ? "bound" : "lease"}), not at most ${limitMs}`);
  }
  if (report.notAtRest !== undefined) found.push(`not at rest: ${report.notAtRest}`);
  return [...found, ...report.accidents.map((what) => `accident: ${what}`)];
}

function list(counts: Readonly<Record<string, number | undefined>>): string {
  return Object.entries(counts).map(([name, count]) => `${name} ${count ?? 0}`).join(", ");
}
