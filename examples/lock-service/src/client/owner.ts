/**
 * Whose request it is, within a session. What is asked for inside withLock() is asked for by who holds the outer lock, so that tasks of one
 * client that wait for each other are a deadlock to the service, and tasks that run beside each other are not.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";

const storage = new AsyncLocalStorage<string>();

/** That of the withLock() around the caller; a new one outside. */
export function ownerOfCaller(): string {
  return storage.getStore() ?? randomUUID();
}

export function runAs<T>(owner: string, run: () => T): T {
  return storage.run(owner, run);
}
