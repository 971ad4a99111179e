/** What /v1/txn takes: a list of operations, of which this service has those on keys. */
import { keyLimits } from "../machine/keys.js";
import type { KeyOperation } from "../machine/keys-operations.js";
import { ConsulError } from "./consul-error.js";
import { membersOf, readJson, unsigned64 } from "./json.js";

/** @throws ConsulError */
export function transactionInput(body: string): readonly KeyOperation[] {
  const operations = decode(body);
  if (operations.length > keyLimits.operations) throw new ConsulError(413, `Transaction contains too many operations (${operations.length} > ${keyLimits.operations})`);
  return operations.flatMap((each) => {
    const members = membersOf(each);
    if (members === undefined) throw unparsable(`json: cannot unmarshal ${nameOf(each)} into Go value of type api.TxnOp`);
    const kv = members.get("kv");
    const other = ["Node", "Service", "Check"].find((name) => members.has(name.toLowerCase()));
    if (kv === undefined && other !== undefined) throw unparsable(`this service has no ${other} operations, only KV`);
    return kv === undefined ? [] : [operationOf(kv)];
  });
}

function decode(body: string): readonly unknown[] {
  let value: unknown;
  try {
    value = readJson(body);
  } catch (error) {
    throw unparsable(error instanceof Error ? error.message : String(error));
  }
  if (value === null) return [];
  if (!Array.isArray(value)) throw unparsable(`json: cannot unmarshal ${nameOf(value)} into Go value of type api.TxnOps`);
  return value;
}

function operationOf(value: unknown): KeyOperation {
  const members = membersOf(value);
  if (members === undefined) throw unparsable(`json: cannot unmarshal ${nameOf(value)} into Go struct field TxnOp.KV of type api.KVTxnOp`);
  const text = (name: string): string => {
    const given = members.get(name.toLowerCase()) ?? "";
    if (typeof given !== "string") throw unparsable(`json: cannot unmarshal ${nameOf(given)} into Go struct field KVTxnOp.KV.${name} of type string`);
    return given;
  };
  const number = (name: string): string => {
    const given = members.get(name.toLowerCase()) ?? 0;
    const parsed = typeof given === "string" ? undefined : unsigned64(given);
    if (parsed === undefined) throw unparsable(`json: cannot unmarshal ${nameOf(given)} into Go struct field KVTxnOp.KV.${name} of type uint64`);
    return parsed;
  };
  const key = text("Key");
  return { verb: text("Verb"), key, value: valueOf(text("Value"), key), flags: number("Flags"), index: number("Index"), session: text("Session") };
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function valueOf(given: string, key: string): string {
  const text = given.replaceAll(/[\r\n]/g, "");
  if (!base64.test(text)) throw unparsable(`illegal base64 data in the value of key ${JSON.stringify(key)}`);
  const value = Buffer.from(text, "base64");
  if (value.length > keyLimits.valueBytes) throw new ConsulError(413, `Value for key ${JSON.stringify(key)} is too large (${value.length} > ${keyLimits.valueBytes} bytes)`);
  return value.toString("base64");
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "number" || typeof value === "bigint" ? `number ${value}` : typeof value;
}

function unparsable(why: string): ConsulError {
  return new ConsulError(400, `Failed to parse body: ${why}`);
}
