/**
 * What the machine's commands take and give. Times are distances in milliseconds, which become deadlines of
 * cluster time when the command is applied. Strings are latin1, one character per byte (state.ts).
 */
import type { PackedValue } from "./packed-value.js";

export interface SetInput {
  readonly key: string;
  readonly value: PackedValue;
  /** Write only if the key is absent, or present. */
  readonly when?: "absent" | "present";
  /** Milliseconds from now, zero or less if that has passed; "keep": the deadline that is there. Without: no deadline. */
  readonly ttl?: number | "keep";
  readonly returnPrevious?: true;
}

export interface SetResult {
  readonly written: boolean;
  /** The value before, if it was asked for; null if there was none, or nobody asked. */
  readonly previous: string | null;
}

export interface SetManyInput {
  /** Key and value. All are written at once, and lose their deadlines. */
  readonly pairs: readonly (readonly [key: string, value: PackedValue])[];
}

export interface RemoveInput {
  readonly keys: readonly string[];
}

export interface IncrementInput {
  readonly key: string;
  /** A canonical 64-bit decimal. */
  readonly by: string;
}

/** Of the key's present deadline: none, any, before the new one, after the new one. */
export type ExpireCondition = "persistent" | "expiring" | "later" | "sooner";

export interface ExpireInput {
  readonly key: string;
  /** Zero or less removes the key. */
  readonly ttlMs: number;
  /** All must hold. */
  readonly onlyIf?: readonly ExpireCondition[];
}

export interface PersistInput {
  readonly key: string;
}

/** Codes of the machine's rejections. */
export type KvRejection = "NOT_AN_INTEGER" | "OVERFLOW";
