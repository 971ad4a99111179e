/** Every call of every client and what became of it, in the controller's monotonic time: the whole of what the checkers judge by. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Action } from "./machine.js";
import type { Consistency, Reply } from "./server.js";

export type Value = string | number | null;
/** A read's value; or a ChangeResult: "written", a counter's new value, whether a compare-and-set wrote. */
export type Result = Value | boolean;
export type Work = Action | { readonly type: "read"; readonly consistency: Consistency };

export interface Attempt {
  readonly node: number;
  /** Which start of the node's replica it was, counting from 1. */
  readonly life: number;
  readonly callMs: number;
  /** Undefined while, or if, nothing came back. */
  returnMs: number | undefined;
  reply: Reply<Result> | undefined;
}

/**
 * What the client knows in the end. "none": every attempt was refused as certainly not done. "unknown": an attempt was answered by
 * "unknown", or not at all, and none with a result.
 */
export type Outcome = { readonly type: "ok"; readonly value: Result } | { readonly type: "none" } | { readonly type: "unknown" };

export interface OperationRecord {
  /** Its name: unique in the run, and the id of its effect in the replicated state. */
  readonly op: string;
  readonly client: string;
  readonly key: string;
  readonly work: Work;
  /** Attempts carry the operation's name as request id, so that it may be tried again through other replicas. */
  readonly requestId: boolean;
  readonly callMs: number;
  returnMs: number | undefined;
  readonly attempts: Attempt[];
  outcome: Outcome | undefined;
}

export class History {
  readonly operations: OperationRecord[] = [];
  acknowledgedWrites = 0;

  begin(operation: Omit<OperationRecord, "attempts" | "outcome" | "returnMs">): OperationRecord {
    const record: OperationRecord = { ...operation, returnMs: undefined, attempts: [], outcome: undefined };
    this.operations.push(record);
    return record;
  }

  end(record: OperationRecord, outcome: Outcome, nowMs: number): void {
    record.outcome = outcome;
    record.returnMs = nowMs;
    if (outcome.type === "ok" && record.work.type !== "read") this.acknowledgedWrites++;
  }

  /** One JSON line for each operation, in the order of their calls. */
  write(path: string): void {
    const file = openSync(path, "w");
    for (const operation of this.operations) writeSync(file, `${JSON.stringify(operation)}\n`);
    closeSync(file);
  }
}
