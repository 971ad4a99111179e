/** Builds a replicated state aside from the slices of a snapshot (see snapshot-source.ts), and checks that it is whole. */
import { decodeValue } from "../codec/values.js";
import { LockstepError } from "../errors.js";
import { seal } from "../machine/seal.js";
import { TableBuilder } from "../machine/table.js";
import type { TableKey } from "../machine/table-key.js";
import { fromWrittenForm, snapshotFormat } from "./replicated-codec.js";
import type { Replicated } from "./replicated.js";
import { recordKind, type MachineIdentity } from "./snapshot-source.js";
import type { RestoredState, SnapshotSink } from "./types.js";

const restoredStates = new WeakMap<RestoredState, Replicated<unknown>>();

/** What a token of finish() stands for. */
export function replicatedOf<S>(restored: RestoredState): Replicated<S> {
  const replicated = restoredStates.get(restored);
  if (replicated === undefined) throw new LockstepError("INVARIANT_VIOLATED", "restore() takes what the finish() of a snapshot's sink returned.");
  return replicated as Replicated<S>;
}

export function receiveSnapshot(machine: MachineIdentity): SnapshotSink {
  return new Receiver(machine);
}

class Receiver implements SnapshotSink {
  readonly #machine: MachineIdentity;
  /** By number; those referred to and not yet met are empty. */
  readonly #tables: TableBuilder<TableKey, unknown>[] = [];
  #rest: Uint8Array = new Uint8Array(0);
  #records = 0;
  #begun = 0;
  #state: unknown;
  #complete = false;

  constructor(machine: MachineIdentity) {
    this.#machine = machine;
  }

  write(slice: Uint8Array): void {
    let bytes = this.#rest.length === 0 ? Buffer.from(slice.buffer, slice.byteOffset, slice.byteLength) : Buffer.concat([this.#rest, slice]);
    while (bytes.length >= 4) {
      const end = 4 + bytes.readUInt32BE(0);
      if (bytes.length < end) break;
      this.#takeRecord(bytes.subarray(4, end));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes.length === 0 ? bytes : Buffer.from(bytes); // a copy: the slice is the caller's
  }

  finish(): RestoredState {
    if (!this.#complete || this.#rest.length > 0) malformed(`it ends after ${this.#records} records, without its end`);
    for (const table of this.#tables) table.finish();
    const replicated = seal(fromWrittenForm(this.#state));
    const restored: RestoredState = { position: replicated.position, lastApplied: (incarnation) => replicated.lastApplied.get(incarnation)?.n ?? 0 };
    restoredStates.set(restored, replicated);
    return restored;
  }

  #takeRecord(bytes: Uint8Array): void {
    const record = decodeValue(bytes, (number) => this.#table(number).table);
    if (!Array.isArray(record)) malformed("a record is not a list");
    if (this.#complete) malformed("it goes on after its end");
    const parts = record as unknown[];
    if (this.#records === 0 && parts[0] !== recordKind.header) malformed("it does not begin with a header");
    this.#records++;
    switch (parts[0]) {
      case recordKind.header:
        return this.#checkHeader(parts);
      case recordKind.state:
        this.#state = parts[1];
        return;
      case recordKind.table:
        this.#begun++;
        return this.#table(this.#begun - 1).expect(Number(parts[1]));
      case recordKind.row:
        return this.#table(this.#begun - 1).append(parts[1] as TableKey, parts[2]);
      case recordKind.end:
        return this.#end(Number(parts[1]), Number(parts[2]));
      default:
        malformed(`a record is of the unknown kind ${String(parts[0])}`);
    }
  }

  #checkHeader([, format, name, version]: unknown[]): void {
    if (this.#records > 1) malformed("it has two headers");
    if (format !== snapshotFormat) malformed(`its format is ${String(format)}, and this version reads ${snapshotFormat}`);
    if (name !== this.#machine.name || version !== this.#machine.version) {
      throw new LockstepError("MACHINE_MISMATCH", `The snapshot is of the machine ${String(name)} version ${String(version)}, and this replica runs ${this.#machine.name} version ${this.#machine.version}.`);
    }
  }

  #end(records: number, tables: number): void {
    if (records !== this.#records - 1) malformed(`it has ${this.#records - 1} records of ${records}`);
    if (tables !== this.#begun || tables !== this.#tables.length) malformed(`it has ${this.#begun} tables of ${tables}`);
    this.#complete = true;
  }

  #table(number: number): TableBuilder<TableKey, unknown> {
    const last = this.#tables.length;
    if (!Number.isSafeInteger(number) || number < 0 || number > last) malformed(`a table has the number ${number} after ${last}`);
    if (number === last) this.#tables.push(new TableBuilder());
    return this.#tables[number] as TableBuilder<TableKey, unknown>;
  }
}

function malformed(why: string): never {
  throw new LockstepError("MALFORMED_MESSAGE", `The snapshot is damaged: ${why}.`);
}
