/**
 * What is known of a cluster, as a file: whoever reads it can go on with the cluster, or take it down when its owner is
 * dead. Facts of the moment (does the daemon run?) are not in it: they are asked of the kernel.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processState } from "./processes.js";
import type { ProcessRef } from "./processes.js";

export interface NodeFaults {
  linkDown: boolean;
  /** Node ids whose packets this node does not get. */
  deafTo: number[];
  /** Packets lost on their way in. */
  lossPercent: number;
}

export interface NodeState {
  readonly nodeId: number;
  /** Configuration, log and Corosync's own state of the node. */
  readonly directory: string;
  readonly holder: ProcessRef;
  daemon: ProcessRef | undefined;
  faults: NodeFaults;
}

export interface ClusterState {
  readonly directory: string;
  /** Undefined: the cluster stays until it is taken down. */
  readonly owner: ProcessRef | undefined;
  network: ProcessRef | undefined;
  readonly nodes: NodeState[];
}

const prefix = "lockstep-cluster-";
const fileName = "state.json";

export function newDirectory(): string {
  return mkdtempSync(join(tmpdir(), prefix));
}

export function noFaults(): NodeFaults {
  return { linkDown: false, deafTo: [], lossPercent: 0 };
}

/** Whole or not at all, so that a reader never sees half of it. */
export function saveState(state: ClusterState): void {
  mkdirSync(state.directory, { recursive: true });
  const path = join(state.directory, fileName);
  writeFileSync(`${path}.new`, JSON.stringify(state, undefined, 2));
  renameSync(`${path}.new`, path);
}

export function loadState(directory: string): ClusterState | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, fileName), "utf8")) as ClusterState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Removes everything, or everything but what tells why something failed. */
export function removeState(directory: string, keepLogs: boolean): void {
  rmSync(keepLogs ? join(directory, fileName) : directory, { recursive: true, force: true });
}

/** Clusters whose owner died without taking them down. */
export function abandonedClusters(): ClusterState[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(prefix)).flatMap((name) => {
    const state = loadState(join(tmpdir(), name));
    return state?.owner !== undefined && processState(state.owner) === "gone" ? [state] : [];
  });
}
