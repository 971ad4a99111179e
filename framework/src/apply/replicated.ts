/**
 * Everything that applying keeps: one immutable value. Equal on all replicas at equal positions; what a snapshot carries
 * and a digest covers. Keeping a reference to it is keeping the state of its position.
 */
import type { ReplicaIdentity } from "../log/entry.js";
import { Table } from "../machine/table.js";
import type { Answer } from "./answers.js";
import { noTimers, type Timers } from "./timers.js";
import type { Operation } from "./types.js";

export interface LastApplied {
  readonly slot: number;
  /** Highest n of the incarnation that was applied. */
  readonly n: number;
}

export interface Replicated<S> {
  readonly position: number;
  /** Cluster time, milliseconds; undefined before the first entry. */
  readonly now: number | undefined;
  readonly machine: S;
  /** Of the last Members entry, by ascending slot. */
  readonly members: readonly ReplicaIdentity[];
  /** By incarnation. */
  readonly lastApplied: ReadonlyMap<string, LastApplied>;
  readonly timers: Timers;
  /** Answers to request ids, by the order in which they were given. */
  readonly answers: Table<number, Answer>;
  /** Answers given so far: the number of the newest one. */
  readonly answerCount: number;
  /** The newest that operators did, oldest first. */
  readonly operations: readonly Operation[];
}

export function initialReplicated<S>(machine: S): Replicated<S> {
  return { position: 0, now: undefined, machine, members: [], lastApplied: new Map(), timers: noTimers, answers: new Table(), answerCount: 0, operations: [] };
}
