/** /v1/txn: several operations on keys, all or none. Those that only read need no command, and may read the past. */
import type { FastifyReply } from "fastify";
import type { KeyFailure, KeyOperation, KeyOutcome } from "../machine/keys-operations.js";
import { readOperations } from "../machine/keys-views.js";
import type { ConsulCall } from "./call.js";
import type { Json } from "./json.js";
import { keyJson } from "./key-routes.js";
import { setContactHeaders, type Contact } from "./reads.js";
import { demandSession } from "./session-routes.js";
import { transactionInput } from "./transaction-input.js";

const changes: ReadonlySet<string> = new Set(["set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"]);

export async function runTransaction(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  const operations = transactionInput(call.body.toString());
  const onlyReads = operations.every(({ verb }) => !changes.has(verb));
  const { consistency } = onlyReads ? call.reading : { consistency: undefined };
  const denied = operations.flatMap((each, operation): KeyFailure[] => (mayRun(call, each) ? [] : [{ operation, what: "Permission denied", unmet: false }]));
  if (denied.length > 0) return answer(call, { entries: [], failures: denied });
  if (consistency === undefined) {
    for (const { verb, session = "" } of operations) if (verb === "lock" || verb === "unlock") await demandSession(call, session);
    return answer(call, await call.service.replica.submit.kv({ operations }));
  }
  const state = await call.service.read(consistency);
  setContactHeaders(call, contact);
  return answer(call, readOperations(state, operations), { Index: 0, LastContact: contact.age, KnownLeader: contact.known });
}

function mayRun({ principal }: ConsulCall, { verb, key }: KeyOperation): boolean {
  return principal.may(changes.has(verb) ? "lock" : "read", key);
}

function answer(call: ConsulCall, { entries, failures }: KeyOutcome, more: { readonly [name: string]: Json } = {}): FastifyReply {
  if (failures.length > 0) return call.json({ Results: null, Errors: failures.map(({ operation, what }) => ({ OpIndex: operation, What: what })), ...more }, 409);
  return call.json({ Results: entries.map((entry) => ({ KV: keyJson(entry) })), Errors: null, ...more });
}
