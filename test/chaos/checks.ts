/** What is demanded of a history and of the states that the replicas have in the end. Pure: no cluster, no clock. */
import { checkLinearizable, counterModel, mapEntryModel, registerModel } from "@lockstep/framework/testing";
import type { CounterInput, MapEntryInput, MapEntryOutput, Operation, RegisterInput, RegisterOutput } from "@lockstep/framework/testing";
import type { OperationRecord, Result, Value } from "./history.js";
import { digestOf, isCounter, valueOf } from "./machine.js";
import type { Dump } from "./machine.js";

/** Sentences about single operations or keys; all empty when everything is as promised. */
export interface Findings {
  /** Acknowledged, and without effect in some replica's state. */
  readonly lost: string[];
  /** Took effect more than once. */
  readonly duplicated: string[];
  /** Refused as certainly not done, and took effect. */
  readonly doneThoughRefused: string[];
  /** Attempts of one operation that were answered differently. */
  readonly contradictory: string[];
  /** Keys whose history no order explains, or for which the search found no answer. */
  readonly nonLinearizable: string[];
  /** Sequential reads that went back, or ahead of what had been asked for. */
  readonly badReads: string[];
  /** Replicas whose state differs from the others'. */
  readonly diverged: string[];
}

/** @param dumps each replica's state, after everything has come to rest. */
export function checkHistory(operations: readonly OperationRecord[], dumps: ReadonlyMap<number, Dump>): Findings {
  return {
    ...checkEffects(operations, dumps),
    contradictory: operations.flatMap(contradictions),
    nonLinearizable: checkKeys(operations, dumps),
    badReads: checkSequentialReads(operations),
    diverged: compareStates(dumps),
  };
}

function checkEffects(operations: readonly OperationRecord[], dumps: ReadonlyMap<number, Dump>): Pick<Findings, "lost" | "duplicated" | "doneThoughRefused"> {
  const found: Pick<Findings, "lost" | "duplicated" | "doneThoughRefused"> = { lost: [], duplicated: [], doneThoughRefused: [] };
  const effects = Array.from(dumps, ([node, dump]) => ({ node, times: new Map(dump.effects) }));
  for (const { op, key, work, outcome } of operations) {
    if (work.type === "read") continue;
    const timesAt = effects.map(({ node, times }) => ({ node, times: times.get(op) ?? 0 }));
    const name = `${op}, ${work.type} of ${key}`;
    const missing = timesAt.filter(({ times }) => times === 0).map(({ node }) => node);
    const doubled = timesAt.filter(({ times }) => times > 1);
    const done = timesAt.filter(({ times }) => times > 0).map(({ node }) => node);
    if (outcome?.type === "ok" && missing.length > 0) found.lost.push(`${name}: acknowledged, not in the state of node ${missing.join(", ")}`);
    if (doubled.length > 0) found.duplicated.push(`${name}: took effect ${doubled.map(({ node, times }) => `${times} times at node ${node}`).join(", ")}`);
    if (outcome?.type === "none" && done.length > 0) found.doneThoughRefused.push(`${name}: refused, but in the state of node ${done.join(", ")}`);
  }
  return found;
}

/** Answers to the attempts of one operation under one request id are the same one. */
function contradictions({ op, attempts }: OperationRecord): string[] {
  const answers = new Set(attempts.flatMap(({ reply }) => (reply !== undefined && "value" in reply ? [JSON.stringify(reply.value)] : [])));
  return answers.size > 1 ? [`${op}: answered ${Array.from(answers).join(" and ")}`] : [];
}

function compareStates(dumps: ReadonlyMap<number, Dump>): string[] {
  const [first, ...rest] = Array.from(dumps, ([node, dump]) => ({ node, digest: digestOf(dump), text: JSON.stringify(dump), dump }));
  if (first === undefined) return [];
  return rest.filter(({ digest, text }) => digest !== first.digest || text !== first.text)
    .map(({ node, digest, dump }) => `node ${node} (${digest.slice(0, 12)}, ${dump.effects.length} effects) differs from node ${first.node} (${first.digest.slice(0, 12)}, ${first.dump.effects.length} effects)`);
}

/** Key by key, with a read of what is there in the end, by each replica. */
function checkKeys(operations: readonly OperationRecord[], dumps: ReadonlyMap<number, Dump>): string[] {
  const byKey = new Map<string, OperationRecord[]>();
  for (const operation of operations) {
    if (operation.outcome?.type === "none" || (operation.work.type === "read" && operation.work.consistency === "sequential")) continue;
    const ofKey = byKey.get(operation.key) ?? [];
    byKey.set(operation.key, ofKey);
    ofKey.push(operation);
  }
  const endMs = operations.reduce((latest, { callMs, returnMs }) => Math.max(latest, returnMs ?? callMs), 0) + 1;
  const states = Array.from(dumps, ([node, dump]) => ({ node, keys: { texts: new Map(dump.texts), counters: new Map(dump.counters), effects: new Map<string, number>(), order: dump.order } }));
  return Array.from(byKey).flatMap(([key, ofKey]) => {
    const last = states.map(({ node, keys }) => ({ node, value: valueOf(keys, key) }));
    const result = checkKey(key, ofKey, last, endMs);
    if (result.kind === "linearizable") return [];
    return [result.kind === "violation" ? `${key}:\n${result.timeline}` : result.reason];
  });
}

function checkKey(key: string, ofKey: readonly OperationRecord[], last: readonly { node: number; value: Value }[], endMs: number) {
  const lastReads = last.map(({ node, value }) => ({ client: `node ${node} in the end`, key, callMs: endMs, returnMs: endMs, value }));
  if (isCounter(key)) {
    return checkLinearizable(counterModel, [
      ...ofKey.map((record): Operation<CounterInput, number> => ({ ...times(record), input: record.work.type === "increment" ? "increment" : "read", output: resultOf(record) as number | undefined })),
      ...lastReads.map(({ value, ...read }): Operation<CounterInput, number> => ({ ...read, input: "read", output: value as number })),
    ]);
  }
  if (key.startsWith("register")) {
    return checkLinearizable(registerModel, [
      ...ofKey.map((record): Operation<RegisterInput, RegisterOutput> => ({ ...times(record), input: textInput(record) as RegisterInput, output: textOutput(record) as RegisterOutput | undefined })),
      ...lastReads.map(({ value, ...read }): Operation<RegisterInput, RegisterOutput> => ({ ...read, input: { type: "read" }, output: { read: value } })),
    ]);
  }
  return checkLinearizable(mapEntryModel, [
    ...ofKey.map((record): Operation<MapEntryInput, MapEntryOutput> => ({ ...times(record), input: textInput(record), output: textOutput(record) })),
    ...lastReads.map(({ value, ...read }): Operation<MapEntryInput, MapEntryOutput> => ({ ...read, input: { type: "read" }, output: { read: value } })),
  ]);
}

function times({ op, key, callMs, returnMs, outcome }: OperationRecord): { client: string; key: string; callMs: number; returnMs: number | undefined } {
  return { client: op, key, callMs, returnMs: outcome?.type === "ok" ? returnMs : undefined };
}

function resultOf({ outcome }: OperationRecord): Result | undefined {
  return outcome?.type === "ok" ? outcome.value : undefined;
}

function textInput({ work }: OperationRecord): MapEntryInput {
  switch (work.type) {
    case "read": return { type: "read" };
    case "write":
    case "cas": return work;
    case "increment": throw new Error("an increment of a text");
    default: return work satisfies never;
  }
}

function textOutput(record: OperationRecord): MapEntryOutput | undefined {
  const result = resultOf(record);
  return record.work.type === "read" && result !== undefined ? { read: result as Value } : (result as MapEntryOutput | undefined);
}

interface SequentialRead {
  readonly callMs: number;
  readonly returnMs: number;
  readonly value: number;
}

/** Of counters: what one process answers never goes back, and never exceeds what had been asked for by then. */
function checkSequentialReads(operations: readonly OperationRecord[]): string[] {
  const incrementsMs = new Map<string, number[]>();
  const reads = new Map<string, SequentialRead[]>();
  for (const { key, work, callMs, attempts } of operations) {
    if (work.type === "increment") append(incrementsMs, key, callMs);
    if (work.type !== "read" || work.consistency !== "sequential" || !isCounter(key)) continue;
    for (const { node, life, callMs, returnMs, reply } of attempts) {
      if (returnMs !== undefined && reply !== undefined && "value" in reply) append(reads, `${key} at replica ${node}.${life}`, { callMs, returnMs, value: reply.value as number });
    }
  }
  return Array.from(reads).flatMap(([where, ofOne]) => [...wentBack(where, ofOne), ...wentAhead(where, ofOne, incrementsMs.get(where.split(" ")[0] ?? "") ?? [])]);
}

function append<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  list.push(value);
}

function wentBack(where: string, reads: readonly SequentialRead[]): string[] {
  const byReturn = reads.toSorted((a, b) => a.returnMs - b.returnMs);
  let highest: SequentialRead | undefined;
  let returned = 0;
  const found: string[] = [];
  for (const read of reads.toSorted((a, b) => a.callMs - b.callMs)) {
    for (let before = byReturn[returned]; before !== undefined && before.returnMs < read.callMs; before = byReturn[++returned]) {
      if (before.value > (highest?.value ?? -1)) highest = before;
    }
    if (highest !== undefined && read.value < highest.value) found.push(`${where}: ${read.value} at ${read.callMs.toFixed(1)} ms, after ${highest.value} at ${highest.returnMs.toFixed(1)} ms`);
  }
  return found;
}

function wentAhead(where: string, reads: readonly SequentialRead[], incrementsMs: readonly number[]): string[] {
  return reads.filter(({ value, returnMs }) => value > incrementsMs.filter((callMs) => callMs <= returnMs).length)
    .map(({ value, returnMs }) => `${where}: ${value} at ${returnMs.toFixed(1)} ms, when less had been asked for`);
}
