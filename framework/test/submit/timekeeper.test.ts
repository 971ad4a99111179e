/** Who is not sure of the time asks for it, and sends nothing that was submitted after the question. */
import { describe, expect, it } from "vitest";
import { ClusterClock } from "../../src/apply/cluster-clock.js";
import type { Ballot } from "../../src/core/ballot.js";
import type { AskTimeMessage, TellTimeMessage } from "../../src/core/messages.js";
import { Timekeeper } from "../../src/submit/timekeeper.js";

const view: Ballot = { era: 0, ringSeq: 4n, ringNode: 1, k: 1, attempt: 0 };

class Asker {
  nowMs = 0;
  submitted = 0;
  readonly sent: (AskTimeMessage | TellTimeMessage)[] = [];
  readonly exchanges: string[] = [];
  readonly clock = new ClusterClock({ monotonicMs: () => this.nowMs, wallMs: () => 0 });
  readonly keeper = new Timekeeper({
    clock: this.clock, slot: 2, incarnation: "this one", send: (message) => { this.sent.push(message); }, submitted: () => this.submitted,
    patienceMs: 2_000, everyMs: 10_000, exchangeAgain: (reason) => { this.exchanges.push(reason); },
  });

  constructor() {
    this.keeper.viewInstalled(view, { stoodAtMs: 5_000, inStep: new Map(), reference: "another" });
  }

  /** Somebody answers the last question, or an earlier one. */
  answer(timeMs: number, back = 0, of: Ballot = view): void {
    this.keeper.incoming(1, { type: "tellTime", view: of, to: 2, question: this.questions - back, timeMs });
  }

  get questions(): number {
    return this.sent.filter(({ type }) => type === "askTime").length;
  }
}

describe("the timekeeper", () => {
  it("asks when a view begins, and lets nothing go before an answer", () => {
    const asker = new Asker();
    asker.submitted = 3;
    // However often it is looked at what may go.
    for (let look = 0; look < 3; look++) expect([asker.questions, asker.keeper.clear()]).toEqual([1, 0]);
  });

  it("is done with the first quick answer", () => {
    const asker = new Asker();
    asker.submitted = 3;
    asker.nowMs = 5;
    asker.answer(605_000);
    expect([asker.clock.sure, asker.clock.now(), asker.keeper.clear()]).toEqual([true, 605_000, 3]);
    asker.submitted = 4;
    expect([asker.keeper.clear(), asker.questions]).toEqual([4, 1]);
  });

  it("lets go what was submitted before the question, where the answer took long, and asks again for the rest", () => {
    const asker = new Asker();
    asker.submitted = 3;
    asker.nowMs = 150;
    asker.keeper.tick();
    asker.submitted = 5;
    asker.nowMs = 1_500;
    asker.answer(605_000);
    expect([asker.clock.sure, asker.keeper.clear(), asker.questions]).toEqual([false, 3, 3]);
  });

  it("takes no answer of another view", () => {
    const asker = new Asker();
    asker.answer(605_000, 0, { ...view, k: 2 });
    expect([asker.clock.sure, asker.clock.now()]).toEqual([false, 5_000]);
  });

  it("takes no answer that is for somebody else, although the number of the question is the same", () => {
    const asker = new Asker();
    asker.submitted = 3;
    asker.keeper.incoming(1, { type: "tellTime", view, to: 3, question: asker.questions, timeMs: 605_000 });
    expect([asker.clock.sure, asker.clock.now(), asker.keeper.clear()]).toEqual([false, 5_000, 0]);
  });

  it("asks for a new exchange when nobody answers", () => {
    const asker = new Asker();
    for (asker.nowMs = 0; asker.nowMs <= 2_100; asker.nowMs += 50) asker.keeper.tick();
    expect([asker.exchanges, asker.clock.sure]).toEqual([["nobody tells slot 2 the time"], false]);
    expect(asker.questions).toBeGreaterThan(10);
  });

  it("asks now and then when it is sure, and hears of a clock that runs faster, in however many questions nobody answers", () => {
    const asker = new Asker();
    asker.answer(5_000);
    for (asker.nowMs = 0; asker.nowMs < 10_000_000; asker.nowMs += 5_000) asker.keeper.tick();
    const before = asker.clock.now() ?? 0;
    asker.answer(before + 70);
    expect([asker.questions > 500, asker.clock.now(), asker.keeper.clear(), asker.exchanges]).toEqual([true, before + 70, 0, []]);
  });

  it("is sure of the time that a group begins with if its own entry is the first, and asks if it is another's", () => {
    for (const isOwn of [true, false]) {
      const sent: string[] = [];
      let nowMs = 0;
      const clock = new ClusterClock({ monotonicMs: () => nowMs, wallMs: () => 7_000 });
      const keeper = new Timekeeper({
        clock, slot: 2, incarnation: "this one", send: (message) => { sent.push(message.type); }, submitted: () => 0, patienceMs: 2_000, everyMs: 10_000, exchangeAgain: () => undefined,
      });
      keeper.viewInstalled(view, undefined);
      sent.length = 0;
      const stampedMs = clock.start();
      nowMs = 1_500;
      keeper.applied(stampedMs, isOwn);
      // Its own clock has gone on since it sent the entry; of another's it knows only that it came.
      expect([isOwn, clock.sure, clock.now(), sent]).toEqual([isOwn, isOwn, isOwn ? 8_500 : 7_000, isOwn ? [] : ["askTime"]]);
    }
  });

  it("tells others the time when it is sure of it, in their view only", () => {
    const asker = new Asker();
    asker.keeper.incoming(1, { type: "askTime", view, question: 9 });
    asker.answer(605_000);
    asker.keeper.incoming(1, { type: "askTime", view: { ...view, k: 2 }, question: 9 });
    asker.keeper.incoming(2, { type: "askTime", view, question: 9 });
    expect(asker.sent.filter(({ type }) => type === "tellTime")).toEqual([]);
    asker.keeper.incoming(1, { type: "askTime", view, question: 9 });
    expect(asker.sent.at(-1)).toEqual({ type: "tellTime", view, to: 1, question: 9, timeMs: 605_000 });
  });
});
