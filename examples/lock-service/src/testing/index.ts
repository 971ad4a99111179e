/** For the simulator and for tests: random work for a lock service, and the checks of all that it does. */
export { checkEvents } from "./event-checks.js";
export { Ledger } from "./ledger.js";
export { LockWorkload } from "./lock-workload.js";
