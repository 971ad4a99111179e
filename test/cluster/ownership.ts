/**
 * The clusters this process has to take down however it ends. (If it ends by SIGKILL, the kernel ends their processes, and
 * the next Cluster.start() on the machine removes their directories.)
 */
import type { ClusterState } from "./state.js";
import { takeDown } from "./take-down.js";

const owned = new Set<ClusterState>();
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function own(state: ClusterState): void {
  if (owned.size === 0) {
    process.on("exit", takeDownAll);
    for (const name of signals) process.on(name, endBySignal);
  }
  owned.add(state);
}

export function disown(state: ClusterState): void {
  if (!owned.delete(state) || owned.size > 0) return;
  process.off("exit", takeDownAll);
  for (const name of signals) process.off(name, endBySignal);
}

function takeDownAll(): void {
  for (const state of owned) {
    takeDown(state, true);
    process.stderr.write(`The process ended with a cluster up; its logs are in ${state.directory}\n`);
  }
  owned.clear();
}

/** Ends as the signal would have ended the process, unless someone else listens for it and decides. */
function endBySignal(name: NodeJS.Signals): void {
  takeDownAll();
  process.off("exit", takeDownAll);
  for (const each of signals) process.off(each, endBySignal);
  if (process.listenerCount(name) === 0) process.kill(process.pid, name);
}
