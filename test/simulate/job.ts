/** What the command and its workers tell each other. */
import type { FaultName } from "@lockstep/framework/testing";
import type { MachineName } from "./workloads.js";

export interface Job {
  readonly machine: MachineName;
  /** Seeds first, first + step, … until told to stop, or so many. */
  readonly first: number;
  readonly step: number;
  readonly histories: number;
  readonly untilMs: number;
  /** Also report which branches of the core were taken. */
  readonly coverage: boolean;
}

/** Since the last one. */
export interface Progress {
  readonly kind: "progress";
  readonly histories: number;
  readonly sums: Readonly<Record<SumName, number>>;
  readonly longestRest: number;
  readonly faults: Readonly<Partial<Record<FaultName, number>>>;
}

export interface Failure {
  readonly kind: "failure";
  readonly seed: number;
  readonly rule: string;
}

export interface Done {
  readonly kind: "done";
  readonly coverage: Coverage | undefined;
}

export type Report = Progress | Failure | Done;

export const sumNames = ["simulatedMs", "answered", "refused", "unknown", "applied", "views", "snapshots"] as const;
export type SumName = (typeof sumNames)[number];

export interface Coverage {
  readonly branches: number;
  readonly taken: number;
  /** file:line of those that were not. */
  readonly missed: readonly string[];
}
