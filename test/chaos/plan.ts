/**
 * Faults from a seed: the same seed, nodes and duration give the same plan. Storms, in which faults come at any time and lie over each
 * other, with calms between them, in which the group has to come together again.
 */
import { Random } from "@lockstep/framework/testing";
import { isProcessFault } from "./fault.js";
import type { Fault, FaultKind, PlannedFault } from "./fault.js";
import type { Durability } from "./server.js";

export interface PlanOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly durationMs: number;
  /** Of durable replicas: the power fails, too. */
  readonly durability?: Durability;
  /** Whole nodes die, too, with the clients on them. */
  readonly nodesDie?: boolean;
}

const stormMs = [8_000, 20_000] as const;
const calmMs = [2_000, 7_000] as const;
/** Between the starts of two faults. */
const gapMs = [100, 2_500] as const;
const faultMs = [150, 7_000] as const;
/** A process is left alone for this long after a fault of its own: it has to start, or to be found awake, before the next. */
const restMs = 1_500;
/** The share of storms in which packets are lost, which is what makes nodes deliver different messages. */
const lossyStorms = 0.6;

type ChosenKind = Exclude<FaultKind, "loss">;

const weights: readonly (readonly [ChosenKind, number])[] = [
  ["cut", 6], ["split", 2], ["block", 3], ["partialCut", 3], ["pauseDaemon", 3], ["killDaemon", 2], ["pauseReplica", 3], ["killReplica", 4],
];

function weightsOf(durability: Durability, nodesDie: boolean): typeof weights {
  return [...weights, ...(durability === "disk" ? [["powerLoss", 1] as const] : []), ...(nodesDie ? [["killNode", 2] as const] : [])];
}

export function planFaults({ seed, nodes, durationMs, durability = "memory", nodesDie = false }: PlanOptions): PlannedFault[] {
  const random = new Random(seed);
  const among = weightsOf(durability, nodesDie);
  const plan: PlannedFault[] = [];
  /** When the last fault of each process is over, rest included. */
  const busyUntil = new Map<string, number>();
  let now = random.between(...calmMs);
  while (now < durationMs) {
    const end = Math.min(now + random.between(...stormMs), durationMs);
    if (random.chance(lossyStorms)) plan.push({ startMs: now, endMs: end, fault: { kind: "loss", percent: random.between(5, 30) / 10 } });
    for (let at = now + random.between(...gapMs); at < end; at += random.between(...gapMs)) {
      const fault = chooseFault(random, nodes, among);
      const endMs = Math.min(at + duration(random), end);
      const name = isProcessFault(fault) ? `${fault.kind.replace(/^[a-z]+/, "")} ${fault.node}` : undefined;
      if (name !== undefined && (busyUntil.get(name) ?? 0) > at) continue;
      if (name !== undefined) busyUntil.set(name, endMs + restMs);
      plan.push({ startMs: at, endMs, fault });
    }
    now = end + random.between(...calmMs);
  }
  return plan;
}

/** Short ones are more frequent: they fall into what an earlier one has set off. */
function duration(random: Random): number {
  const [shortest, longest] = faultMs;
  return Math.round(shortest + (longest - shortest) * random.next() ** 2);
}

function chooseFault(random: Random, nodes: number, among: typeof weights): Fault {
  const ids = random.shuffled(Array.from({ length: nodes }, (_, index) => index + 1));
  const [a, b] = ids as [number, number];
  const kind = chooseKind(random, among);
  switch (kind) {
    case "split": {
      const size = random.between(1, nodes - 1);
      return { kind, side: ids.slice(0, size).sort((x, y) => x - y), rest: ids.slice(size).sort((x, y) => x - y) };
    }
    case "block": return { kind, from: a, to: b };
    case "partialCut": return { kind, between: [Math.min(a, b), Math.max(a, b)] };
    case "powerLoss": return { kind };
    default: return { kind, node: a };
  }
}

function chooseKind(random: Random, among: typeof weights): ChosenKind {
  let left = random.between(1, among.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [kind, weight] of among) {
    left -= weight;
    if (left <= 0) return kind;
  }
  throw new Error("the weights add up");
}
