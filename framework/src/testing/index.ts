/** The simulator: whole replicas on a group, clocks and clients that do the worst that was seen, from a seed. */
export { runHistory } from "./history.js";
export type { HistoryOptions, HistoryResult } from "./history.js";
export { Violation } from "./checkers/violation.js";
export { Random } from "./random.js";
export { LaboratoryWorkload } from "./workload/laboratory-workload.js";
export type { Call, CallRecord, Ending, Workload } from "./workload/workload.js";
