/** Handlers that fail are told of in the log, with their names, and do not fill it. */
import { describe, expect, it } from "vitest";
import { createApplier } from "../../src/apply/applier.js";
import { FaultLog } from "../../src/apply/fault-log.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { History, replica } from "../support/entries.js";

const machine = defineMachine({
  name: "faulty",
  version: 1,
  initialState: () => ({ count: 0 }),
  commands: (command) => ({
    fail: command((_draft, why: string) => { throw new Error(why); }),
    refuse: command(() => { throw reject("no"); }),
    later: command((_draft, ms: number, context) => context.schedule(context.now + ms, "fail", "as a timer")),
  }),
  onMembersChanged: () => { throw new Error("with members"); },
});

function bed() {
  const lines: Record<string, unknown>[] = [];
  let nowMs = 0;
  const faults = new FaultLog({ debug: () => undefined, info: () => undefined, warn: () => undefined, error: (fields) => lines.push(fields) }, () => nowMs);
  const applier = createApplier(machine);
  const history = new History();
  return { lines, history, after: (ms: number) => { nowMs += ms; }, apply: (entry: ReturnType<History["entry"]>) => faults.applied(applier.apply(entry)) };
}

describe("the log of faults", () => {
  it("names handlers of commands, timers and members, and says nothing of rejections", () => {
    const { lines, history, after, apply } = bed();
    apply(history.entry([{ name: "refuse", input: undefined }, { name: "later", input: 1_000 }, { name: "fail", input: "as a command" }]));
    after(1_000);
    apply(history.entry([], { timeMs: 1e15 }));
    after(1_000);
    apply(history.entry([], { members: [replica(1)] }));
    expect(lines).toMatchObject([
      { position: 1, handler: "fail", error: expect.stringContaining("as a command") as string },
      { position: 2, handler: "fail", error: expect.stringContaining("as a timer") as string },
      { position: 3, handler: "onMembersChanged", error: expect.stringContaining("with members") as string },
    ]);
  });

  it("says one thing a second, and how much more there was", () => {
    const { lines, history, after, apply } = bed();
    for (let n = 0; n < 10; n++) apply(history.entry([{ name: "fail", input: `${n}` }]));
    after(1_000);
    apply(history.entry([{ name: "fail", input: "again" }]));
    apply(history.entry([{ name: "fail", input: "and again" }]));
    after(1_000);
    apply(history.entry([{ name: "fail", input: "at last" }]));
    after(1_000);
    apply(history.entry([{ name: "fail", input: "alone" }]));
    expect(lines).toMatchObject([{ position: 1 }, { position: 11, othersSince: 9 }, { position: 13, othersSince: 1 }, { position: 14 }]);
    expect(lines[3]).not.toHaveProperty("othersSince");
  });
});
