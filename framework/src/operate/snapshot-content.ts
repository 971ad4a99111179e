/** What is in a snapshot, read without the machine that it is of. */
import { receiveSnapshot, replicatedOf, snapshotHeader } from "../apply/snapshot-sink.js";
import type { MachineIdentity } from "../apply/snapshot-source.js";
import type { Operation } from "../apply/types.js";
import { LockstepError } from "../errors.js";
import { Table } from "../machine/table.js";

export interface SnapshotContent {
  readonly machine: MachineIdentity;
  readonly position: number;
  /** Cluster time, milliseconds. */
  readonly now: number | undefined;
  readonly slices: number;
  readonly bytes: number;
  /** Rows of each Table that is a property of the machine's state. */
  readonly tables: readonly { readonly name: string; readonly keys: number }[];
  readonly operations: readonly Operation[];
}

/** All of the state is built, as a replica would. @throws LockstepError MALFORMED_MESSAGE, and what the slices throw. */
export async function readSnapshot(slices: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<SnapshotContent> {
  let machine: MachineIdentity | undefined;
  let sink: ReturnType<typeof receiveSnapshot> | undefined;
  let count = 0;
  let bytes = 0;
  for await (const slice of slices) {
    machine ??= snapshotHeader(slice);
    sink ??= receiveSnapshot(machine);
    sink.write(slice);
    count++;
    bytes += slice.byteLength;
  }
  if (machine === undefined || sink === undefined) throw new LockstepError("MALFORMED_MESSAGE", "The snapshot is damaged: it is empty.");
  const { position, now, machine: state, operations } = replicatedOf(sink.finish());
  return { machine, position, now, slices: count, bytes, tables: tablesOf(state), operations };
}

function tablesOf(state: unknown): SnapshotContent["tables"] {
  if (state instanceof Table) return [{ name: "state", keys: state.size }];
  if (typeof state !== "object" || state === null) return [];
  return Object.entries(state).flatMap(([name, value]) => (value instanceof Table ? [{ name, keys: value.size }] : []));
}
