/** Random calls to the laboratory, and what must be true of all their answers together. */
import { violated } from "../checkers/violation.js";
import type { Random } from "../random.js";
import type { SomeMachine } from "../simulated-process.js";
import { laboratory, type Laboratory } from "./laboratory.js";
import { checkOperations } from "./laboratory-operations.js";
import type { Call, CallRecord, Workload } from "./workload.js";

type CommandName = keyof typeof laboratory.commands;

const keys = ["a", "b", "c"];
/** Not so many that a compare-and-set hardly ever succeeds. */
const values = 4;

export class LaboratoryWorkload implements Workload {
  readonly #weights: readonly (readonly [CommandName | "query", number])[];
  readonly #identified: number;
  readonly #largest: number;
  #ops = 0;

  /** Some commands often, some never. */
  constructor(random: Random) {
    const names = (Object.keys(laboratory.commands) as CommandName[]).filter((name) => name !== "ring");
    this.#weights = [...names, "query" as const].map((name) => [name, random.chance(0.7) ? random.next() : 0.01] as const);
    this.#identified = random.pick([0, 0.5, 1]) ?? 0.5;
    this.#largest = random.pick([10, 500, 3_000]) ?? 500;
  }

  makeMachine(): SomeMachine {
    return laboratory as unknown as SomeMachine;
  }

  next(random: Random): Call {
    const name = this.#choose(random);
    if (name === "query") return query(random);
    this.#ops++;
    const op = `op${this.#ops}`;
    const requestId = random.chance(this.#identified) ? `request of ${op}` : undefined;
    return { kind: "submit", name, input: { op, ...this.#input(name, random) }, requestId };
  }

  #choose(random: Random): CommandName | "query" {
    let at = random.next() * this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of this.#weights) {
      at -= weight;
      if (at < 0) return name;
    }
    return "query";
  }

  #input(name: CommandName, random: Random): object {
    const key = random.pick(keys) ?? "a";
    switch (name) {
      case "write": return { key, value: this.#ops };
      case "add": return { key };
      case "swap": return { key, expected: random.between(0, values), value: random.between(1, values) };
      case "refuse":
      case "note": return { key };
      case "later": return { delayMs: random.between(0, 3_000) };
      case "blob": return { bytes: new Uint8Array(random.between(0, this.#largest)).fill(this.#ops) };
      case "ring":
      case "dice": return {};
      default: return name satisfies never;
    }
  }

  check(records: readonly CallRecord[], state: unknown): void {
    const { effects, timers } = state as Laboratory;
    for (const record of records) checkEffect(record, effects);
    if (timers.size > 0) violated("timers", `${timers.size} timers have not fired: ${Array.from(timers).join("; ")}`);
    checkRevisions(records);
    checkOperations(records);
  }
}

function query(random: Random): Call {
  const name = random.pick(["register", "counter", "entry", "revision"] as const) ?? "revision";
  const consistency = random.chance(0.6) ? "linearizable" : "sequential";
  return { kind: "query", name, args: name === "revision" ? [] : [random.pick(keys) ?? "a"], consistency };
}

/** Invariants 2 and 4. What the machine refused took no effect, whatever it had changed before. */
function checkEffect({ call, ending, code }: CallRecord, effects: Laboratory["effects"]): void {
  if (call.kind !== "submit") return;
  const { op } = call.input as { op: string };
  const times = effects.get(op) ?? 0;
  const what = `${call.name} ${op}`;
  if (times > 1) violated("invariant 4", `${what} took effect ${times} times`);
  if (ending === "answered" && times === 0) violated("invariant 2", `${what} was answered, and is lost`);
  if (ending === "none" && times > 0) violated("answers", `${what} ended with ${code ?? "nothing"}, certainly without effect, and took effect`);
  if (code === "REQUEST_ID_REUSED") violated("answers", `${what} was tried again and did not get its first answer: every request id is of one command`);
  if (call.name === "refuse" && times > 0) violated("invariant 4", `${what} was refused by the machine, and took effect`);
}

/** What one process shows of the past never goes back. */
function checkRevisions(records: readonly CallRecord[]): void {
  const seen = new Map<object, { endedAt: number; revision: number }[]>();
  for (const { call, ending, result, process, startedAt, endedAt } of records) {
    if (call.kind !== "query" || call.name !== "revision" || ending !== "answered") continue;
    const revision = result as number;
    const earlier = seen.get(process) ?? [];
    const later = earlier.find((read) => read.endedAt < startedAt && read.revision > revision);
    if (later !== undefined) violated("invariant 6", `a process showed revision ${later.revision} and later ${revision}`);
    earlier.push({ endedAt, revision });
    seen.set(process, earlier);
  }
}
