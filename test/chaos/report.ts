/** What a run comes to, in numbers: printed, and written as JSON. */
import type { Findings } from "./checks.js";
import type { FaultKind } from "./fault.js";
import type { Durability } from "./server.js";

export type SystemName = "lockstep" | "baseline";

export interface RunReport {
  readonly system: SystemName;
  readonly seed: number;
  readonly nodes: number;
  readonly minutes: number;
  readonly durability: Durability;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** Faults of the plan that were left out: by the rule of memory, or because there was nothing to strike. */
  readonly faultsSkipped: number;
  readonly operations: number;
  readonly writesAcknowledged: number;
  readonly writesOfUnknownOutcome: number;
  readonly writesRefused: number;
  readonly linearizableReads: number;
  readonly sequentialReads: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly doneThoughRefused: number;
  readonly contradictory: number;
  readonly nonLinearizable: number;
  readonly keysChecked: number;
  readonly badReads: number;
  readonly replicasThatDiffer: number;
  /** While a majority was together (availability.ts). */
  readonly longestSilenceMs: number;
  readonly longestSilenceFromMs: number;
  /** From the end of the last fault until all replicas were active; undefined if they never were. */
  readonly allActiveAfterMs: number | undefined;
  /** What was waited for in vain, of: one ring, all active, one position with one state and nothing pending. */
  readonly notAtRest: string | undefined;
  /** Daemons and replicas that ended, or stopped, though no fault did that to them; positions that went back. */
  readonly accidents: readonly string[];
  /** How often a replica's log on disk was seen to begin with a newer state. */
  readonly snapshotsOnDisk: number;
}

export interface RunResult {
  readonly report: RunReport;
  readonly findings: Findings;
}

const rows: readonly (readonly [string, (report: RunReport) => string | number])[] = [
  ["operations", (report) => report.operations],
  ["writes acknowledged", (report) => report.writesAcknowledged],
  ["writes of unknown outcome", (report) => report.writesOfUnknownOutcome],
  ["writes refused", (report) => report.writesRefused],
  ["linearizable reads", (report) => report.linearizableReads],
  ["sequential reads", (report) => report.sequentialReads],
  ["acknowledged writes lost", (report) => report.lost],
  ["writes duplicated", (report) => report.duplicated],
  ["writes done though refused", (report) => report.doneThoughRefused],
  ["requests answered in two ways", (report) => report.contradictory],
  ["keys with a non-linearizable history", (report) => `${report.nonLinearizable} of ${report.keysChecked}`],
  ["sequential reads that went wrong", (report) => report.badReads],
  ["replicas that differ in the end", (report) => report.replicasThatDiffer],
  ["longest silence with a majority together", (report) => `${seconds(report.longestSilenceMs)} (at ${seconds(report.longestSilenceFromMs)})`],
  ["all active after the last fault", (report) => (report.allActiveAfterMs === undefined ? "never" : `after ${seconds(report.allActiveAfterMs)}`)],
  ["at rest in the end", (report) => (report.notAtRest === undefined ? "yes" : "no")],
  ["states written to disk", (report) => report.snapshotsOnDisk],
  ["ended by themselves", (report) => report.accidents.length],
];

export function formatReports(reports: readonly RunReport[]): string {
  const [first] = reports;
  if (first === undefined) return "";
  const width = Math.max(...rows.map(([name]) => name.length));
  const cells = (name: string, values: readonly (string | number)[]): string => `${name.padEnd(width)}  ${values.map((value) => String(value).padStart(22)).join("  ")}`.trimEnd();
  return [
    `seed ${first.seed}, ${first.nodes} nodes, ${first.minutes} min, state ${first.durability === "disk" ? "on disk" : "in memory"}`,
    cells("", reports.map(({ system }) => system)),
    ...rows.map(([name, value]) => cells(name, reports.map(value))),
    ...reports.map(({ system, faults, faultsSkipped }) => `faults, ${system}: ${Object.entries(faults).map(([kind, count]) => `${kind} ${count}`).join(", ")}; skipped ${faultsSkipped}`),
  ].join("\n");
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** What is not as promised, as sentences; the first few of each kind. */
export function violations({ report, findings }: RunResult): string[] {
  const few = 5;
  const found = Object.entries(findings).flatMap(([kind, all]: [string, readonly string[]]) =>
    [...all.slice(0, few).map((what) => `${kind}: ${what}`), ...(all.length > few ? [`${kind}: ${all.length - few} more`] : [])]);
  if (report.durability === "disk" && report.snapshotsOnDisk === 0) found.push("no state was written to disk: this run says nothing of logs that begin with one");
  if (report.notAtRest !== undefined) found.push(`not at rest: ${report.notAtRest}`);
  return [...found, ...report.accidents.map((what) => `accident: ${what}`)];
}
