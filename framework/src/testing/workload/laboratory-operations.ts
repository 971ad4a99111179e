/** Invariant 5: what clients were told of the laboratory's registers, counters and map, as histories of single objects. */
import { violated } from "../checkers/violation.js";
import { checkLinearizable, counterModel, mapEntryModel, registerModel, type CounterInput, type MapEntryInput, type MapEntryOutput, type Model, type Operation, type RegisterInput, type RegisterOutput } from "../linearizability/index.js";
import type { CallRecord } from "./workload.js";

export function checkOperations(records: readonly CallRecord[]): void {
  check(registerModel, records.flatMap(registerOperation));
  check(counterModel, records.flatMap(counterOperation));
  check(mapEntryModel, records.flatMap(mapOperation));
}

function check<S, I, O>(model: Model<S, I, O>, operations: readonly Operation<I, O>[]): void {
  const found = checkLinearizable(model, operations);
  if (found.kind === "violation") violated("invariant 5", found.timeline);
  if (found.kind === "undecided") violated("invariant 5", found.reason);
}

function registerOperation(record: CallRecord): Operation<RegisterInput, RegisterOutput>[] {
  const input = inputOf(record);
  if (record.call.name === "write") return operation(record, input.key, { type: "write", value: input.value }, () => "written");
  if (isRead(record, "register")) return operation(record, input.key, { type: "read" }, (value) => ({ read: present(value) }));
  return [];
}

function counterOperation(record: CallRecord): Operation<CounterInput, number>[] {
  const { key } = inputOf(record);
  if (record.call.name === "add") return operation(record, key, "increment", Number);
  return isRead(record, "counter") ? operation(record, key, "read", Number) : [];
}

function mapOperation(record: CallRecord): Operation<MapEntryInput, MapEntryOutput>[] {
  const { key, expected, value } = inputOf(record);
  if (record.call.name === "swap") return operation(record, key, { type: "cas", expected: present(expected), value }, Boolean);
  return isRead(record, "entry") ? operation(record, key, { type: "read" }, (found) => ({ read: present(found) })) : [];
}

/** None if it certainly had no effect. */
function operation<I, O>({ client, startedAt, endedAt, ending, result }: CallRecord, key: string, input: I, output: (result: unknown) => O): Operation<I, O>[] {
  if (ending === "none") return [];
  const known = ending === "answered";
  return [{ client, key, callMs: startedAt, returnMs: known ? endedAt : undefined, input, output: known ? output(result) : undefined }];
}

function isRead({ call }: CallRecord, name: string): boolean {
  return call.kind === "query" && call.name === name && call.consistency === "linearizable";
}

/** The laboratory says 0 where nothing is. */
function present(value: unknown): number | null {
  return value === 0 ? null : Number(value);
}

function inputOf({ call }: CallRecord): { key: string; value: number; expected: number } {
  const input = call.kind === "submit" ? call.input : { key: call.args[0] };
  return input as { key: string; value: number; expected: number };
}
