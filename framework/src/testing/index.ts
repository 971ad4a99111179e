/** The simulator: whole replicas on a group, clocks and clients that do the worst that was seen, from a seed. */
export { maxMoments, runHistory } from "./history.js";
export type { HistoryOptions, HistoryResult } from "./history.js";
export type { FaultName } from "./faults.js";
export { shrink, violationOf, type Shrunk } from "./shrink.js";
export { simulate, SimulationFailure, type SimulateOptions, type SimulationSummary } from "./simulate.js";
export { Violation } from "./checkers/violation.js";
export * from "./linearizability/index.js";
export { Random } from "./random.js";
export { LaboratoryWorkload } from "./workload/laboratory-workload.js";
export type { Call, CallRecord, Ending, Workload } from "./workload/workload.js";
