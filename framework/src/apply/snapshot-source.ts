/**
 * Writes a captured state as slices of bytes, a few rows at a time: nothing is ever serialised whole, except a value of a Table, and
 * all that is outside of Tables. Read by snapshot-sink.ts.
 *
 * A snapshot is a sequence of records, each a 32-bit length and an encoded array: its header, the state with references
 * in the place of Tables, then each Table (its size, its rows), and the end with the count of all records.
 */
import { encodePart, encodeValue } from "../codec/values.js";
import { Table } from "../machine/table.js";
import { snapshotFormat, writtenForm, type AnyTable } from "./replicated-codec.js";
import type { Replicated } from "./replicated.js";

export interface MachineIdentity {
  readonly name: string;
  readonly version: number;
}

/** First elements of records: part of the format. */
export const recordKind = { header: 0, state: 1, table: 2, row: 3, end: 4 } as const;

/** Rows of a Table that stand for all of them where a size is estimated. */
const sampledRows = 32;

/** Smaller records are not cut, however small the slices. */
const leastPieceBytes = 16 * 1024;

/**
 * @param sliceBytes A slice ends with the record that makes it at least this large. A record of more, and of more than 16 KiB, goes on in the
 * next ones; the header does not.
 */
export function* sliceSnapshot(machine: MachineIdentity, captured: Replicated<unknown>, sliceBytes: number): IterableIterator<Uint8Array> {
  let slice: Uint8Array[] = [];
  let bytes = 0;
  let pieceBytes = Infinity;
  for (const record of encodeRecords(machine, captured)) {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(record.length);
    slice.push(length);
    bytes += length.length;
    for (let start = 0; start < record.length; start += pieceBytes) {
      const piece = record.subarray(start, start + pieceBytes);
      slice.push(piece);
      bytes += piece.length;
      if (bytes < sliceBytes) continue;
      yield Buffer.concat(slice, bytes);
      slice = [];
      bytes = 0;
    }
    pieceBytes = Math.max(sliceBytes, leastPieceBytes);
  }
  if (bytes > 0) yield Buffer.concat(slice, bytes);
}

function* encodeRecords({ name, version }: MachineIdentity, captured: Replicated<unknown>): IterableIterator<Uint8Array> {
  const { tables, referenceOf } = numberTables();
  let count = 2;
  yield encodeValue([recordKind.header, snapshotFormat, name, version, captured.position]);
  yield encodePart([recordKind.state, writtenForm(captured)], referenceOf);
  // Grows while it is walked: the values of a Table may hold Tables.
  for (const table of tables) {
    yield encodeValue([recordKind.table, table.size]);
    for (const [key, value] of table) yield encodePart([recordKind.row, key, value], referenceOf);
    count += 1 + table.size;
  }
  yield encodeValue([recordKind.end, count, tables.length]);
}

/** How large a snapshot will be: its rows are taken to be like the first of their Table. */
export function aboutBytes(captured: Replicated<unknown>): number {
  const { tables, referenceOf } = numberTables();
  let bytes = encodePart([recordKind.state, writtenForm(captured)], referenceOf).byteLength;
  for (const table of tables) {
    let [rows, ofRows] = [0, 0];
    for (const [key, value] of table) {
      if (rows === sampledRows) break;
      rows++;
      ofRows += 4 + encodePart([recordKind.row, key, value], referenceOf).byteLength;
    }
    if (rows > 0) bytes += ofRows / rows * table.size;
  }
  return bytes;
}

/** Numbers Tables in the order in which they are met; one that is met again keeps its number. */
function numberTables(): { tables: AnyTable[]; referenceOf: (value: object) => number | undefined } {
  const tables: AnyTable[] = [];
  const numbers = new Map<object, number>();
  const referenceOf = (value: object): number | undefined => {
    const known = numbers.get(value);
    if (known !== undefined || !(value instanceof Table)) return known;
    numbers.set(value, tables.length);
    tables.push(value as AnyTable);
    return tables.length - 1;
  };
  return { tables, referenceOf };
}
