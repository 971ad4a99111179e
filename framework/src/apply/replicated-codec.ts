/**
 * The form in which a replicated value is written and hashed: the plain rest as one value with references in the place of
 * Tables, and the Tables as rows. Shared by snapshots and digests.
 */
import { LockstepError } from "../errors.js";
import type { ReplicaIdentity } from "../log/entry.js";
import { Table } from "../machine/table.js";
import type { TableKey } from "../machine/table-key.js";
import type { Answer } from "./answers.js";
import type { LastApplied, Replicated } from "./replicated.js";
import type { Timer, TimerKey } from "./timers.js";
import type { Operation } from "./types.js";

/** Increased whenever what is written changes its meaning. */
export const snapshotFormat = 2;

export type AnyTable = Table<TableKey, unknown>;

/** A replicated value as plain data and Tables. */
export interface Written {
  readonly position: number;
  readonly now: number | undefined;
  readonly machine: unknown;
  readonly members: readonly ReplicaIdentity[];
  /** By incarnation, in ascending order. */
  readonly lastApplied: readonly (readonly [incarnation: string, slot: number, n: number])[];
  readonly timers: Table<TimerKey, Timer>;
  readonly timerCount: number;
  readonly answers: Table<number, Answer>;
  readonly answerCount: number;
  readonly operations: readonly Operation[];
}

export function writtenForm(replicated: Replicated<unknown>): Written {
  const { position, now, machine, members, timers, answers, answerCount, operations } = replicated;
  const lastApplied = [...replicated.lastApplied].map(([incarnation, { slot, n }]) => [incarnation, slot, n] as const);
  lastApplied.sort(([a], [b]) => (a < b ? -1 : 1));
  return { position, now, machine, members, lastApplied, timers: timers.waiting, timerCount: timers.count, answers, answerCount, operations };
}

/** @throws LockstepError MALFORMED_MESSAGE if it is not the written form of this version. */
export function fromWrittenForm(value: unknown): Replicated<unknown> {
  if (!isWritten(value)) throw new LockstepError("MALFORMED_MESSAGE", "The snapshot is not of a replicated state.");
  const { position, now, machine, members, timers, timerCount, answers, answerCount, operations } = value;
  const lastApplied = new Map<string, LastApplied>(value.lastApplied.map(([incarnation, slot, n]) => [incarnation, { slot, n }]));
  return { position, now, machine, members, lastApplied, timers: { waiting: timers, count: timerCount }, answers, answerCount, operations };
}

function isWritten(value: unknown): value is Written {
  if (typeof value !== "object" || value === null) return false;
  const { position, members, lastApplied, timers, answers, operations } = value as Partial<Written>;
  return Number.isSafeInteger(position) && Array.isArray(members) && Array.isArray(lastApplied) && Array.isArray(operations) && timers instanceof Table && answers instanceof Table;
}
