/**
 * What the chaos runs replicate: registers, counters and entries with compare-and-set, and how often each operation took effect.
 * The meaning of a change is stated once, for Lockstep's machine and for the baseline beside it.
 */
import { createHash } from "node:crypto";
import { Table, defineMachine } from "@lockstep/framework";
import { checksum } from "../cluster/journal.js";

export type Action =
  | { readonly type: "write"; readonly value: string }
  | { readonly type: "increment" }
  | { readonly type: "cas"; readonly expected: string | null; readonly value: string };

export interface Change {
  /** Of one operation, all its attempts included. */
  readonly op: string;
  readonly key: string;
  readonly action: Action;
}

/** A write's, a counter's new value, whether a compare-and-set wrote. */
export type ChangeResult = "written" | number | boolean;

/** What a Map and a Table have in common. */
interface Collection<V> extends Iterable<readonly [string, V]> {
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
}

export interface Keys {
  readonly texts: Collection<string>;
  readonly counters: Collection<number>;
  /** Times that each operation took effect. */
  readonly effects: Collection<number>;
  /** A rolling checksum over the order in which operations took effect. */
  order: number;
}

export function perform(keys: Keys, { op, key, action }: Change): ChangeResult {
  keys.effects.set(op, (keys.effects.get(op) ?? 0) + 1);
  keys.order = checksum(keys.order, op);
  switch (action.type) {
    case "write":
      keys.texts.set(key, action.value);
      return "written";
    case "increment": {
      const value = (keys.counters.get(key) ?? 0) + 1;
      keys.counters.set(key, value);
      return value;
    }
    case "cas":
      if ((keys.texts.get(key) ?? null) !== action.expected) return false;
      keys.texts.set(key, action.value);
      return true;
    default: return action satisfies never;
  }
}

/** Null: nothing there. */
export function valueOf(keys: Keys, key: string): string | number | null {
  return isCounter(key) ? keys.counters.get(key) ?? 0 : keys.texts.get(key) ?? null;
}

export function isCounter(key: string): boolean {
  return key.startsWith("counter");
}

/** A whole state as plain data, keys ascending. */
export interface Dump {
  readonly texts: readonly (readonly [string, string])[];
  readonly counters: readonly (readonly [string, number])[];
  readonly effects: readonly (readonly [string, number])[];
  readonly order: number;
}

export function dumpOf(keys: Keys): Dump {
  return { texts: sorted(keys.texts), counters: sorted(keys.counters), effects: sorted(keys.effects), order: keys.order };
}

export function digestOf(dump: Dump): string {
  return createHash("sha256").update(JSON.stringify(dump)).digest("hex");
}

function sorted<V>(entries: Iterable<readonly [string, V]>): (readonly [string, V])[] {
  return Array.from(entries).sort(([a], [b]) => (a < b ? -1 : 1));
}

export interface ReplicatedKeys {
  readonly texts: Table<string, string>;
  readonly counters: Table<string, number>;
  readonly effects: Table<string, number>;
  readonly order: number;
}

export const keysMachine = defineMachine({
  name: "chaos-keys",
  version: 1,
  initialState: (): ReplicatedKeys => ({ texts: new Table(), counters: new Table(), effects: new Table(), order: 0 }),
  commands: (command) => ({
    change: command((draft, change: Change) => perform(draft, change)),
  }),
  queries: {
    read: (state, key: string) => valueOf(state, key),
  },
});
