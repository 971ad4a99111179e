/** Who owes a State, and since when: across the exchanges of a ring. */
import { describe, expect, it } from "vitest";
import { majorityPolicy } from "../../src/core/quorum-policy.js";
import { answered, ask, forgive, silentForMs } from "../../src/core/silence.js";
import { initialCore, type CoreState } from "../../src/core/state.js";

const member = { nodeId: 3, pid: 100 };
const other = { nodeId: 3, pid: 101 };

/** Asks in exchanges of these names, one every 100 ms. */
function asked(...keys: string[]): CoreState {
  const state = initialCore({
    slot: 1, incarnation: "1".padStart(16, "0"), slots: [1, 2, 3], policy: majorityPolicy, durability: "memory", machine: "m", version: 1,
    silenceTimeoutMs: 2_000, transferTimeoutMs: 1, heldBytes: 1, logRetentionBytes: 1, unwrittenBytes: 1,
  });
  for (const key of keys) {
    ask(state, [member], key);
    state.nowMs += 100;
  }
  return state;
}

describe("a member's silence", () => {
  it("counts from the first exchange that it has not answered", () => {
    const state = asked("a", "b", "c");
    expect(silentForMs(state, member)).toBe(300);
    expect(silentForMs(state, other)).toBe(0);
  });

  it("ends with a State for the exchanges up to that one, and for no later one", () => {
    const state = asked("a", "b", "c");
    answered(state, member, "b");
    expect(silentForMs(state, member)).toBe(100);
    answered(state, member, "c");
    expect(silentForMs(state, member)).toBe(0);
  });

  it("is not ended by a State that answers nothing", () => {
    const state = asked("a", "b");
    answered(state, member, "z");
    answered(state, other, "b");
    expect(silentForMs(state, member)).toBe(200);
  });

  it("is measured from its beginning, however many exchanges there are meanwhile, and what was asked last can be answered", () => {
    const keys = Array.from({ length: 1_000 }, (_, index) => String(index));
    const state = asked(...keys);
    expect(silentForMs(state, member)).toBe(100_000);
    expect(state.owed.get("3/100")?.length).toBeLessThanOrEqual(64);
    answered(state, member, "999");
    expect(silentForMs(state, member)).toBe(0);
  });

  it("is forgotten when it has shown that it is awake", () => {
    const state = asked("a", "b");
    forgive(state, member);
    expect(silentForMs(state, member)).toBe(0);
  });
});
