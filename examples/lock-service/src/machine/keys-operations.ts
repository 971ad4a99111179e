/**
 * The operations on keys, as Consul's transactions have them, one after the other on one state; a single call is a transaction of one.
 * Locking a key is advice to those who ask for the lock: who does not may change the key all the same.
 *
 * One difference is meant: a change without the lock leaves the lock index as it is, which Consul documents, and sets to 0. A client
 * that takes it for a fencing token would be wrong there.
 */
import { keyLimits, type KeyRow } from "./keys.js";
import { KeyTransaction } from "./keys-transaction.js";
import type { LockState } from "./state.js";
import { isOver } from "./turn.js";

export interface KeyOperation {
  /** Of KeyVerb; an unknown one is refused like Consul does it. */
  readonly verb: string;
  readonly key: string;
  /** Base64. */
  readonly value?: string;
  /** Decimal, as all numbers of 64 bits. */
  readonly flags?: string;
  readonly index?: string;
  readonly session?: string;
}

export interface KeyEntry extends Omit<KeyRow, "value"> {
  readonly key: string;
  /** Base64; null if it is empty, or was not asked for. */
  readonly value: string | null;
}

export interface KeyFailure {
  readonly operation: number;
  /** In Consul's words. */
  readonly what: string;
  /** The key is not in the state that was asked for: a single call answers with `false`. Otherwise the call itself was wrong. */
  readonly unmet: boolean;
}

/** Entries, if there are no failures; in the order of the operations, none for some. */
export interface KeyOutcome {
  readonly entries: readonly KeyEntry[];
  readonly failures: readonly KeyFailure[];
}

/** What operations look at. */
export type KeyWorld = Pick<LockState, "keys" | "sessions" | "lostReplicas">;

class Failed {
  constructor(readonly what: string, readonly unmet: boolean) {}
}

const unmet = (what: string): Failed => new Failed(what, true);
const wrong = (what: string): Failed => new Failed(what, false);

/** Failures, if any, leave the transaction of no use. */
export function runOperations(world: KeyWorld, transaction: KeyTransaction, operations: readonly KeyOperation[], now: number): KeyOutcome {
  const refused = failuresOf(operations, (operation) => refusedBefore(world, operation, now));
  if (refused.length > 0) return { entries: [], failures: refused };
  const entries: KeyEntry[] = [];
  const failures = failuresOf(operations, (operation) => {
    const result = run(world, transaction, operation, now);
    if (result instanceof Failed) return result;
    entries.push(...result);
    return undefined;
  });
  return failures.length > 0 ? { entries: [], failures } : { entries, failures };
}

function failuresOf(operations: readonly KeyOperation[], check: (operation: KeyOperation) => Failed | undefined): readonly KeyFailure[] {
  return operations.flatMap((each, operation) => {
    const failed = check(each);
    return failed === undefined ? [] : [{ operation, what: failed.what, unmet: failed.unmet }];
  });
}

/** Consul looks for these in all operations before it runs the first. */
function refusedBefore({ keys }: KeyWorld, { verb, key }: KeyOperation, now: number): Failed | undefined {
  if (key === "" && verb !== "delete-tree") return wrong("Must provide key");
  if (verb === "lock" && (keys.delays.get(key) ?? 0) > now) return unmet(`failed to lock key ${JSON.stringify(key)} due to lock delay`);
  return undefined;
}

function run(world: KeyWorld, transaction: KeyTransaction, operation: KeyOperation, now: number): readonly KeyEntry[] | Failed {
  const { verb, key } = operation;
  const show = (row: KeyRow): KeyEntry => shownEntry(world, key, row, now);
  const changed = (row: KeyRow | Failed): readonly KeyEntry[] | Failed => (row instanceof Failed ? row : [{ ...show(row), value: null }]);
  switch (verb) {
    case "set": return changed(set(transaction, operation));
    case "cas": return changed(compareAndSet(transaction, operation));
    case "lock": return changed(lock(world, transaction, operation, now));
    case "unlock": return changed(unlock(transaction, operation));
    case "check-index": return changed(checkIndex(transaction, operation));
    case "check-session": return changed(checkSession(world, transaction, operation, now));
    case "get": {
      const row = transaction.get(key);
      return row === undefined ? unmet(`key ${JSON.stringify(key)} doesn't exist`) : [show(row)];
    }
    case "get-or-empty": return [show(transaction.get(key) ?? emptyRow)];
    case "get-tree": return transaction.tree(key).map(([each, row]) => shownEntry(world, each, row, now));
    case "check-not-exists": return transaction.get(key) === undefined ? [] : unmet(`key ${JSON.stringify(key)} exists`);
    case "delete":
      transaction.delete(key);
      return [];
    case "delete-cas": return deleteIf(transaction, operation) ?? [];
    case "delete-tree": return deleteTree(transaction, operation) ?? [];
    default: return wrong(`unknown KV verb ${JSON.stringify(verb)}`);
  }
}

const emptyRow: KeyRow = { value: "", flags: "0", createIndex: 0, modifyIndex: 0, lockIndex: 0, session: null };

/** A session that is over has nothing locked, even if the work that follows from its end is still to be done. */
export function shownEntry(world: KeyWorld, key: string, row: KeyRow, now: number): KeyEntry {
  return { ...row, key, value: row.value === "" ? null : row.value, session: holderOf(world, row, now) };
}

function holderOf(world: KeyWorld, { session }: KeyRow, now: number): string | null {
  if (session === null) return null;
  return lives(world, session, now) ? session : null;
}

function lives(world: KeyWorld, session: string, now: number): boolean {
  const row = world.sessions.get(session);
  return row !== undefined && !isOver(world, row, now);
}

// Changes.

function put(transaction: KeyTransaction, { key, value = "", flags = "0" }: KeyOperation, session: string | null, lockIndex: number): KeyRow | Failed {
  if (Buffer.byteLength(key) > keyLimits.keyBytes) return wrong(`Key is too large (${Buffer.byteLength(key)} > ${keyLimits.keyBytes} bytes)`);
  const row = transaction.put(key, { value, flags, session, lockIndex });
  return typeof row === "string" ? wrong(row) : row;
}

function set(transaction: KeyTransaction, operation: KeyOperation): KeyRow | Failed {
  const existing = transaction.get(operation.key);
  return put(transaction, operation, existing?.session ?? null, existing?.lockIndex ?? 0);
}

/** Index 0: only if there is no such key. */
function compareAndSet(transaction: KeyTransaction, operation: KeyOperation): KeyRow | Failed {
  const { key, index = "0" } = operation;
  const found = transaction.get(key)?.modifyIndex ?? 0;
  return String(found) === index ? set(transaction, operation) : unmet(`failed to set key ${JSON.stringify(key)}, index is stale`);
}

function deleteIf(transaction: KeyTransaction, { key, index = "0" }: KeyOperation): Failed | undefined {
  const existing = transaction.get(key);
  if (existing !== undefined && String(existing.modifyIndex) !== index) return unmet(`failed to delete key ${JSON.stringify(key)}, index is stale`);
  transaction.delete(key);
  return undefined;
}

function deleteTree(transaction: KeyTransaction, { key }: KeyOperation): Failed | undefined {
  const found = transaction.tree(key);
  if (found.length > keyLimits.deletedAtOnce) return wrong(`${found.length} keys are too many to delete at once, at most ${keyLimits.deletedAtOnce}: use longer prefixes`);
  for (const [each] of found) transaction.delete(each);
  return undefined;
}

/** Again by the same session: only the value and flags are changed. */
function lock(world: KeyWorld, transaction: KeyTransaction, operation: KeyOperation, now: number): KeyRow | Failed {
  const { key, session = "" } = operation;
  if (session === "") return wrong("missing session");
  if (!lives(world, session, now)) return wrong(`invalid session ${JSON.stringify(session)}`);
  const existing = transaction.get(key);
  if (existing?.session === session) return put(transaction, operation, session, existing.lockIndex);
  if (existing !== undefined && existing.session !== null) return unmet(`failed to lock key ${JSON.stringify(key)}, lock is already held`);
  if ((world.keys.lockedCounts.get(session) ?? 0) + transaction.lockedBy(session) >= keyLimits.locksPerSession) {
    return wrong(`session ${session} has locked ${keyLimits.locksPerSession} keys, and cannot lock more`);
  }
  return put(transaction, operation, session, (existing?.lockIndex ?? 0) + 1);
}

function unlock(transaction: KeyTransaction, operation: KeyOperation): KeyRow | Failed {
  const { key, session = "" } = operation;
  if (session === "") return wrong("missing session");
  const existing = transaction.get(key);
  if (existing?.session !== session) return unmet(`failed to unlock key ${JSON.stringify(key)}, lock isn't held, or is held by another session`);
  return put(transaction, operation, null, existing.lockIndex);
}

// Checks.

function checkIndex(transaction: KeyTransaction, { key, index = "0" }: KeyOperation): KeyRow | Failed {
  const row = transaction.get(key);
  if (row === undefined) return unmet(`failed to check index, key ${JSON.stringify(key)} doesn't exist`);
  return String(row.modifyIndex) === index ? row : unmet(`failed index check for key ${JSON.stringify(key)}, current modify index ${row.modifyIndex} != ${index}`);
}

function checkSession(world: KeyWorld, transaction: KeyTransaction, { key, session = "" }: KeyOperation, now: number): KeyRow | Failed {
  const row = transaction.get(key);
  if (row === undefined) return unmet(`failed to check session, key ${JSON.stringify(key)} doesn't exist`);
  const holder = holderOf(world, row, now) ?? "";
  return holder === session ? row : unmet(`failed session check for key ${JSON.stringify(key)}, current session ${JSON.stringify(holder)} != ${JSON.stringify(session)}`);
}
