/** /v1/kv: reading, writing, locking and deleting keys. */
import type { FastifyReply } from "fastify";
import type { KeyEntry, KeyOperation } from "../machine/keys-operations.js";
import { readKey, readKeys, readTree, treeIndex } from "../machine/keys-views.js";
import type { ConsulCall } from "./call.js";
import { ConsulError, permissionDenied } from "./consul-error.js";
import type { Json } from "./json.js";
import { partOfKeys, read, type Contact } from "./reads.js";
import { demandSession } from "./session-routes.js";

export const keysPath = "/v1/kv/";

export function getKey(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  const key = call.rest(keysPath);
  if (call.has("keys")) return listKeys(call, contact, key);
  if (call.has("recurse")) return readAll(call, contact, key);
  if (key === "") throw missingKey();
  return readOne(call, contact, key);
}

async function readOne(call: ConsulCall, contact: Contact, key: string): Promise<FastifyReply> {
  if (!call.principal.may("read", key)) throw permissionDenied();
  const [entry] = await read(call, contact, {
    part: partOfKeys(({ rows }) => rows.get(key)),
    read: (state) => {
      const { index, entries } = readKey(state, key);
      return { index, found: entries.length > 0, content: entries };
    },
  });
  if (entry === undefined) return call.notFound();
  return call.has("raw") ? sendRaw(call.reply, entry) : call.json([keyJson(entry)]);
}

/** Whatever it is, no browser is to take it for a page. */
function sendRaw(reply: FastifyReply, { value }: KeyEntry): FastifyReply {
  return reply.type("text/plain").header("x-content-type-options", "nosniff").header("content-security-policy", "sandbox").send(Buffer.from(value ?? "", "base64"));
}

async function readAll(call: ConsulCall, contact: Contact, prefix: string): Promise<FastifyReply> {
  const entries = await read(call, contact, {
    part: partOfKeys((keys) => treeIndex(keys, prefix)),
    read: (state) => {
      const { index, entries: all } = readTree(state, prefix);
      const content = all.filter(({ key }) => call.principal.may("read", key));
      return { index, found: content.length > 0, content };
    },
  });
  return entries.length === 0 ? call.notFound() : call.json(entries.map(keyJson));
}

async function listKeys(call: ConsulCall, contact: Contact, prefix: string): Promise<FastifyReply> {
  // Consul has the wrong spelling as well, from its beginnings.
  const separator = call.query.get("separator") ?? call.query.get("seperator") ?? "";
  const keys = await read(call, contact, {
    part: partOfKeys((keys) => treeIndex(keys, prefix)),
    read: (state) => {
      const { index, keys: all } = readKeys(state, prefix, separator);
      const content = all.filter((key) => call.principal.may("read", key));
      return { index, found: content.length > 0, content };
    },
  });
  return keys.length === 0 && prefix !== "" ? call.notFound() : call.json(keys);
}

export async function putKey(call: ConsulCall): Promise<FastifyReply> {
  const key = call.rest(keysPath);
  if (key === "") throw missingKey();
  refuseConflict(call, ["cas", "acquire", "release"]);
  const flags = call.unsigned("flags") ?? "0";
  const content = { key, flags, value: call.body.toString("base64") };
  const index = call.unsigned("cas");
  const acquire = call.query.get("acquire");
  const release = call.query.get("release");
  if (!call.principal.may("lock", key)) throw permissionDenied();
  if (acquire !== null) await demandSession(call, acquire);
  if (release !== null) await demandSession(call, release);
  if (release !== null) return change(call, { ...content, verb: "unlock", session: release });
  if (acquire !== null) return change(call, { ...content, verb: "lock", session: acquire });
  return change(call, index === undefined ? { ...content, verb: "set" } : { ...content, verb: "cas", index });
}

export async function deleteKey(call: ConsulCall): Promise<FastifyReply> {
  const key = call.rest(keysPath);
  refuseConflict(call, ["recurse", "cas"]);
  const recurse = call.has("recurse");
  if (key === "" && !recurse) throw missingKey();
  const index = call.unsigned("cas");
  if (!call.principal.may("lock", key)) throw permissionDenied();
  if (recurse) return change(call, { verb: "delete-tree", key });
  return change(call, index === undefined ? { verb: "delete", key } : { verb: "delete-cas", key, index });
}

async function change(call: ConsulCall, operation: KeyOperation): Promise<FastifyReply> {
  const { failures: [failure] } = await call.service.replica.submit.kv({ operations: [operation] });
  if (failure !== undefined && !failure.unmet) throw new ConsulError(500, failure.what);
  return call.json(failure === undefined);
}

function refuseConflict(call: ConsulCall, parameters: readonly string[]): void {
  if (parameters.filter((parameter) => call.has(parameter)).length < 2) return;
  const sorted = new URLSearchParams(call.query);
  sorted.sort();
  throw new ConsulError(400, `Conflicting flags: ${sorted.toString()}\n`);
}

function missingKey(): ConsulError {
  return new ConsulError(400, "Missing key name");
}

export function keyJson({ lockIndex, key, flags, value, session, createIndex, modifyIndex }: KeyEntry): Json {
  return { LockIndex: lockIndex, Key: key, Flags: BigInt(flags), Value: value, Session: session ?? undefined, CreateIndex: createIndex, ModifyIndex: modifyIndex };
}
