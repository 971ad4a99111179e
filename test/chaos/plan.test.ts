/** The nemesis' plan, and the rule by which it leaves faults out. Needs no Corosync. */
import { describe, expect, it } from "vitest";
import { faultKinds, isProcessFault } from "./fault.js";
import { MemoryAccount } from "./memory-account.js";
import { planFaults } from "./plan.js";

const tenMinutes = { nodes: 5, durationMs: 600_000 };

describe("a plan", () => {
  it("is the same for the same seed, and another one for another seed", () => {
    const plan = planFaults({ seed: 7, ...tenMinutes });
    expect(planFaults({ seed: 7, ...tenMinutes })).toEqual(plan);
    expect(planFaults({ seed: 8, ...tenMinutes })).not.toEqual(plan);
  });

  it("has faults of every kind, several at a time, and ends them all", () => {
    const plan = planFaults({ seed: 7, ...tenMinutes });
    expect(new Set(plan.map(({ fault }) => fault.kind))).toEqual(new Set(faultKinds.filter((kind) => kind !== "powerLoss" && kind !== "killNode")));
    expect(new Set(planFaults({ seed: 7, ...tenMinutes, durability: "disk", nodesDie: true }).map(({ fault }) => fault.kind))).toEqual(new Set(faultKinds));
    expect(plan.some(({ startMs }) => plan.filter((other) => other.startMs <= startMs && startMs < other.endMs).length >= 3)).toBe(true);
    expect(plan.filter(({ startMs, endMs }) => startMs >= endMs || endMs > tenMinutes.durationMs)).toEqual([]);
  });

  it("strikes a process only when an earlier fault of the same process is over", () => {
    const plan = planFaults({ seed: 7, ...tenMinutes });
    const daemons = plan.filter(({ fault }) => isProcessFault(fault) && fault.kind.endsWith("Daemon") && fault.node === 1);
    expect(daemons.length).toBeGreaterThan(5);
    for (const [index, { startMs }] of daemons.entries()) if (index > 0) expect(startMs).toBeGreaterThan(daemons[index - 1]?.endMs ?? 0);
  });

  it("names nodes of the cluster only", () => {
    const named = planFaults({ seed: 9, nodes: 3, durationMs: 600_000 }).flatMap(({ fault }) => {
      switch (fault.kind) {
        case "loss":
        case "powerLoss": return [];
        case "split": return [...fault.side, ...fault.rest];
        case "block": return [fault.from, fault.to];
        case "partialCut": return [...fault.between];
        default: return [fault.node];
      }
    });
    expect(new Set(named)).toEqual(new Set([1, 2, 3]));
  });
});

describe("the account of memories", () => {
  const active = (incarnation: string) => ({ active: true, lineage: true, incarnation });

  it("allows nobody to be erased before a majority of the others has been active", () => {
    const account = new MemoryAccount([1, 2, 3]);
    account.saw(1, active("a"));
    account.saw(2, active("b"));
    expect([1, 2, 3].map((slot) => account.mayErase(slot))).toEqual([false, false, true]);
  });

  it("allows no second of three to be erased until the first has been active again", () => {
    const account = new MemoryAccount([1, 2, 3]);
    for (const [slot, incarnation] of [[1, "a"], [2, "b"], [3, "c"]] as const) account.saw(slot, active(incarnation));
    expect(account.mayErase(1)).toBe(true);
    account.erase(1, "a");
    expect(account.mayErase(2)).toBe(false);
    account.saw(1, { active: false, lineage: false, incarnation: "d" });
    expect(account.mayErase(2)).toBe(false);
    account.saw(1, active("d"));
    expect(account.mayErase(2)).toBe(true);
  });

  it("does not believe late news of a memory that was erased", () => {
    const account = new MemoryAccount([1, 2, 3]);
    for (const [slot, incarnation] of [[1, "a"], [2, "b"], [3, "c"]] as const) account.saw(slot, active(incarnation));
    account.erase(1, "a");
    account.saw(1, active("a"));
    expect(account.remembers(1)).toBe(false);
  });

  it("follows a replica that says itself that it has nothing", () => {
    const account = new MemoryAccount([1, 2, 3]);
    account.saw(1, active("a"));
    account.saw(1, { active: false, lineage: false, incarnation: "a" });
    expect(account.remembers(1)).toBe(false);
  });
});
