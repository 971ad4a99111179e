/** Builds a replicated state aside from the slices of a snapshot (see snapshot-source.ts), and checks that it is whole. */
import { maxWrittenDepth } from "../codec/plain.js";
import { decodeValue } from "../codec/values.js";
import { LockstepError } from "../errors.js";
import { seal } from "../machine/seal.js";
import { TableBuilder, type Table } from "../machine/table.js";
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

/** Whose snapshot it is, by its first slice. @throws LockstepError MALFORMED_MESSAGE. */
export function snapshotHeader(slice: Uint8Array): MachineIdentity {
  const bytes = Buffer.from(slice.buffer, slice.byteOffset, slice.byteLength);
  const end = endOfRecord(bytes, 0);
  const header = end <= bytes.length ? decodeValue(bytes.subarray(4, end)) : undefined;
  if (!Array.isArray(header) || header[0] !== recordKind.header) malformed("it does not begin with a header");
  const [, format, name, version] = header as unknown[];
  if (format !== snapshotFormat) malformed(`its format is ${String(format)}, and this version reads ${snapshotFormat}`);
  if (typeof name !== "string" || typeof version !== "number") malformed("it does not say of which machine it is");
  return { name, version };
}

class Receiver implements SnapshotSink {
  readonly #machine: MachineIdentity;
  /** By number; those that were referred to and have not begun are empty. */
  readonly #tables: TableBuilder<TableKey, unknown>[] = [];
  /** How many rows each Table is to have. */
  readonly #sizes: number[] = [];
  /** The numbers of the Tables that the values of each Table refer to. */
  readonly #references: Set<number>[] = [];
  /** What has come of the next record. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** How much of it there must be to go on. */
  #neededBytes = 4;
  #records = 0;
  #begun = 0;
  #state: unknown;
  #complete = false;

  constructor(machine: MachineIdentity) {
    this.#machine = machine;
  }

  write(slice: Uint8Array): void {
    this.#waiting.push(Buffer.from(slice)); // a copy: the slice is the caller's
    this.#waitingBytes += slice.length;
    while (this.#waitingBytes >= this.#neededBytes) {
      // Joined only when a whole record is there: one that came in many slices is not copied for each of them.
      const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
      this.#keepWaiting(bytes.subarray(this.#takeRecords(bytes)));
    }
  }

  /** Takes the whole records, and returns where they end. */
  #takeRecords(bytes: Buffer): number {
    let start = 0;
    for (let end = endOfRecord(bytes, start); end <= bytes.length; end = endOfRecord(bytes, start)) {
      this.#takeRecord(bytes.subarray(start + 4, end));
      start = end;
    }
    return start;
  }

  #keepWaiting(rest: Buffer): void {
    this.#waiting = rest.length === 0 ? [] : [rest];
    this.#waitingBytes = rest.length;
    this.#neededBytes = rest.length < 4 ? 4 : endOfRecord(rest, 0);
  }

  finish(): RestoredState {
    if (!this.#complete || this.#waitingBytes > 0) malformed(`it ends after ${this.#records} records, without its end`);
    checkAcyclic(this.#references);
    this.#tables.forEach((table, number) => this.#buildTable(table, number));
    const replicated = seal(fromWrittenForm(this.#state), maxWrittenDepth);
    const restored: RestoredState = { position: replicated.position, lastApplied: (incarnation) => replicated.lastApplied.get(incarnation)?.n ?? 0 };
    restoredStates.set(restored, replicated);
    return restored;
  }

  #takeRecord(bytes: Uint8Array): void {
    const record = decodeValue(bytes, (number) => this.#refer(Number(number)));
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
        this.#sizes.push(Number(parts[1]));
        return;
      case recordKind.row:
        return appendRow(this.#table(this.#begun - 1), parts[1] as TableKey, parts[2]);
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

  #buildTable(table: TableBuilder<TableKey, unknown>, number: number): void {
    if (table.size !== this.#sizes[number]) malformed(`the table ${number} has ${table.size} rows of ${this.#sizes[number]}`);
    seal(table.build());
  }

  /** The Table that the record being read refers to. */
  #refer(number: number): Table<TableKey, unknown> {
    const { table } = this.#table(number);
    if (this.#begun > 0) (this.#references[this.#begun - 1] ??= new Set()).add(number);
    return table;
  }

  #table(number: number): TableBuilder<TableKey, unknown> {
    const last = this.#tables.length;
    if (!Number.isSafeInteger(number) || number < 0 || number > last) malformed(`a table has the number ${number} after ${last}`);
    if (number === last) this.#tables.push(new TableBuilder());
    return this.#tables[number] as TableBuilder<TableKey, unknown>;
  }
}

function appendRow(table: TableBuilder<TableKey, unknown>, key: TableKey, value: unknown): void {
  try {
    table.append(key, value);
  } catch (cause) {
    malformed(cause instanceof Error ? cause.message : String(cause));
  }
}

/** Where the record that begins at `start` ends; beyond the end of `bytes` if they do not tell. */
function endOfRecord(bytes: Buffer, start: number): number {
  return start + 4 + (start + 4 <= bytes.length ? bytes.readUInt32BE(start) : 0);
}

/**
 * Damage could make a Table contain itself, which no walk over the state would survive. Those that are in no other are left out, one after the
 * other (A. B. Kahn, Topological sorting of large networks, 1962): what remains is in a cycle, or below one.
 */
function checkAcyclic(references: readonly (ReadonlySet<number> | undefined)[]): void {
  const within = new Map<number, number>();
  for (const tables of references) for (const table of tables ?? []) within.set(table, (within.get(table) ?? 0) + 1);
  const free = Array.from(references.keys()).filter((table) => !within.has(table));
  for (let table = free.pop(); table !== undefined; table = free.pop()) {
    for (const next of references[table] ?? []) {
      const left = (within.get(next) ?? 0) - 1;
      if (left > 0) within.set(next, left);
      else if (within.delete(next)) free.push(next);
    }
  }
  if (within.size > 0) malformed("a table contains itself");
}

function malformed(why: string): never {
  throw new LockstepError("MALFORMED_MESSAGE", `The snapshot is damaged: ${why}.`);
}
