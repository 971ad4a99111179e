/** The end of a cluster. Synchronous, so that it also works while the process is ending. */
import { networkNamespace, processState, processesWith, signal } from "./processes.js";
import type { ProcessRef } from "./processes.js";
import { removeState } from "./state.js";
import type { ClusterState } from "./state.js";

/** Killed processes are gone in milliseconds; beyond this something holds them in the kernel. */
const goneTimeoutMs = 5_000;

/** Kills what runs in the cluster's namespaces; they vanish with it. Only what was started in them can be there. */
export function takeDown(state: ClusterState, keepLogs: boolean): void {
  const holders = [...state.nodes.map((node) => node.holder), ...(state.network === undefined ? [] : [state.network])];
  const daemons = state.nodes.flatMap((node) => node.daemon ?? []);
  // The holders last: while they live, whatever is still being started in there can be found.
  const inside = processesWith(holders).filter((ref) => !holders.some((holder) => holder.pid === ref.pid));
  for (const ref of [...inside, ...daemons]) signal(ref, "SIGKILL");
  for (const ref of [...processesWith(holders), ...holders]) signal(ref, "SIGKILL");
  waitUntilGone([...inside, ...daemons, ...holders]);
  removeState(state.directory, keepLogs);
}

function waitUntilGone(refs: readonly ProcessRef[]): void {
  const deadline = performance.now() + goneTimeoutMs;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  // A killed child of this process stays a zombie until the event loop turns: that counts as gone.
  while (refs.some((ref) => processState(ref) !== "gone" && networkNamespace(ref.pid) !== undefined) && performance.now() < deadline) {
    Atomics.wait(pause, 0, 0, 5);
  }
}
