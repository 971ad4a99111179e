/** Submissions and barriers: limits, time-outs, signals, and exactly one ending for each, whatever happens in whatever order. */
import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLockstepError, LockstepError } from "../../src/errors.js";
import { defaultLimits, type Limits } from "../../src/limits.js";
import { Submissions } from "../../src/submit/submissions.js";

function make(limits: Partial<Limits> = {}): { submissions: Submissions; abandoned: number[]; limits: Limits } {
  const abandoned: number[] = [];
  const all = { ...defaultLimits, ...limits };
  return { submissions: new Submissions(all, (n) => abandoned.push(n)), abandoned, limits: all };
}

const bytes = (size: number): Uint8Array => new Uint8Array(size);
const soon = { deadlineMs: 1_000 };

async function ending(promise: Promise<unknown>): Promise<unknown> {
  return promise.then((result) => ["result", result], (error: unknown) => (isLockstepError(error) ? error.code : error));
}

describe("submissions", () => {
  it("refuse what exceeds a limit, and count what waits and what is sent", async () => {
    const { submissions } = make({ commandBytes: 100, queueBytes: 150, pendingSubmissions: 3 });
    expect(await ending(submissions.submit(bytes(101), undefined, soon))).toBe("COMMAND_TOO_LARGE");
    void submissions.submit(bytes(100), undefined, soon);
    expect(await ending(submissions.submit(bytes(60), undefined, soon))).toBe("QUEUE_FULL");
    void submissions.submit(bytes(10), undefined, soon);
    submissions.take(1);
    expect([submissions.commands, submissions.bytes]).toEqual([2, 110]);
    void submissions.submit(bytes(1), undefined, soon);
    expect(await ending(submissions.submit(bytes(1), undefined, soon))).toBe("QUEUE_FULL");
    submissions.answer(1, [{ ok: true, result: 1 }, { ok: true, result: 2 }]);
    expect([submissions.commands, submissions.bytes]).toEqual([1, 1]);
  });

  it("refuse what would never have room in the queue as too large, and not as to be tried again", async () => {
    const { submissions } = make({ commandBytes: 100, queueBytes: 50 });
    expect(await ending(submissions.submit(bytes(51), undefined, soon))).toBe("COMMAND_TOO_LARGE");
    void submissions.submit(bytes(50), undefined, soon);
    expect(await ending(submissions.submit(bytes(1), undefined, soon))).toBe("QUEUE_FULL");
  });

  it("count reads until they are confirmed: what waits, what is sent, and what waits again", async () => {
    const { submissions } = make({ pendingSubmissions: 2 });
    const first = ending(submissions.barrier(soon));
    submissions.take(1);
    void submissions.barrier(soon);
    expect(await ending(submissions.barrier(soon))).toBe("QUEUE_FULL");
    submissions.take(2);
    expect(await ending(submissions.barrier(soon))).toBe("QUEUE_FULL");
    submissions.answer(1, []);
    expect(await first).toEqual(["result", undefined]);
    void submissions.barrier(soon);
    expect(await ending(submissions.barrier(soon))).toBe("QUEUE_FULL");
    submissions.lose(2, () => undefined, "a snapshot took its place");
    expect(await ending(submissions.barrier(soon))).toBe("QUEUE_FULL");
    submissions.take(3);
    submissions.answer(3, []);
    expect(await ending(Promise.race([submissions.barrier(soon), Promise.resolve("taken")]))).toEqual(["result", "taken"]);
  });

  it("travel in batches up to the byte limit; a larger one travels alone", () => {
    const { submissions } = make({ batchBytes: 100 });
    for (const size of [40, 40, 500, 10, 10]) void submissions.submit(bytes(size), undefined, soon);
    expect([1, 2, 3, 4].map((n) => submissions.take(n).map((command) => command.byteLength))).toEqual([[40, 40], [500], [10, 10], []]);
  });

  it("end with their own outcomes: a result, a rejection, or what the machine said", async () => {
    const { submissions } = make();
    const endings = [1, 2, 3].map((size) => ending(submissions.submit(bytes(size), undefined, soon)));
    submissions.take(7);
    submissions.answer(7, [{ ok: true, result: "a" }, { ok: false, code: "REJECTED", message: "no" }, { ok: false, code: "MACHINE_FAULT", message: "bug" }]);
    expect(await Promise.all(endings)).toEqual([["result", "a"], "REJECTED", "MACHINE_FAULT"]);
  });

  it("end even if the entry that carried them could not be read", async () => {
    const { submissions } = make();
    const outcome = ending(submissions.submit(bytes(1), undefined, soon));
    submissions.take(1);
    submissions.answer(1, []);
    expect(await outcome).toBe("INVALID_INPUT");
  });

  it("that time out are certainly not sent, or unknown; the batch is abandoned when nobody waits for it", async () => {
    const { submissions, abandoned } = make();
    const sent = [submissions.submit(bytes(1), undefined, { deadlineMs: 10 }), submissions.submit(bytes(1), undefined, { deadlineMs: 20 })].map(ending);
    submissions.take(1);
    const queued = ending(submissions.submit(bytes(1), undefined, { deadlineMs: 10 }));
    submissions.expire(9);
    submissions.expire(10);
    expect(await queued).toBe("TIMED_OUT");
    expect(await sent[0]).toBe("UNKNOWN_OUTCOME");
    expect(abandoned).toEqual([]);
    submissions.expire(20);
    expect(await sent[1]).toBe("UNKNOWN_OUTCOME");
    expect(abandoned).toEqual([1]);
    expect(submissions.take(2)).toEqual([]);
  });

  it("end when their signal says so, and let go of it when they have ended", async () => {
    const { submissions } = make();
    expect(await ending(submissions.submit(bytes(1), undefined, { ...soon, signal: AbortSignal.abort() }))).toBe("TIMED_OUT");
    expect(await ending(submissions.barrier({ ...soon, signal: AbortSignal.abort() }))).toBe("STALE_READ");
    const controllers = Array.from({ length: 3 }, () => new AbortController());
    const [first, second, third] = controllers.map(({ signal }) => ending(submissions.submit(bytes(1), undefined, { ...soon, signal })));
    controllers[0]?.abort();
    submissions.take(1);
    controllers[1]?.abort();
    submissions.answer(1, [{ ok: true, result: 1 }, { ok: true, result: 2 }]);
    controllers[2]?.abort();
    expect(await Promise.all([first, second, third])).toEqual(["TIMED_OUT", "UNKNOWN_OUTCOME", ["result", 2]]);
    // One signal may be given to any number of calls: nothing of those that have ended stays with it.
    const { signal } = new AbortController();
    const listeners = (): number => getEventListeners(signal, "abort").length;
    const answered = ending(submissions.submit(bytes(1), undefined, { ...soon, signal }));
    const read = ending(submissions.barrier({ ...soon, signal }));
    const late = ending(submissions.submit(bytes(1), undefined, { deadlineMs: 10, signal }));
    expect(listeners()).toBe(3);
    submissions.expire(10);
    submissions.take(2);
    submissions.answer(2, [{ ok: true, result: 1 }]);
    expect(await Promise.all([answered, read, late])).toEqual([["result", 1], ["result", undefined], "TIMED_OUT"]);
    expect(listeners()).toBe(0);
  });

  it("send a read no earlier than the commands that were submitted before it, and not behind later ones", async () => {
    const { submissions } = make({ batchBytes: 1 });
    for (const size of [11, 12]) void submissions.submit(bytes(size), undefined, soon);
    const read = ending(submissions.barrier(soon));
    void submissions.submit(bytes(13), undefined, soon);
    const confirmed: boolean[] = [];
    for (const n of [1, 2, 3]) {
      expect(submissions.take(n)).toHaveLength(1);
      submissions.answer(n, [{ ok: true, result: n }]);
      confirmed.push(await Promise.race([read.then(() => true), new Promise<false>((resolve) => { setImmediate(resolve, false); })]));
    }
    expect(confirmed).toEqual([false, true, true]);
  });

  it("that are given up for want of a quorum are unknown at once, and none of their batches is sent again", async () => {
    const { submissions, abandoned } = make({ batchBytes: 1 });
    const endings = [1, 2].map((size) => ending(submissions.submit(bytes(size), undefined, soon)));
    submissions.take(7);
    submissions.take(8);
    submissions.giveUpSent("no quorum");
    expect(await Promise.all(endings)).toEqual(["UNKNOWN_OUTCOME", "UNKNOWN_OUTCOME"]);
    expect(abandoned).toEqual([7, 8]);
  });

  it("hold nothing of those that have ended, however many come while nothing can be sent", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const { submissions } = make();
    void submissions.submit(bytes(1), undefined, { deadlineMs: 1_000_000 });
    const held: WeakRef<Uint8Array>[] = [];
    for (let round = 1; round <= 100; round++) {
      const endings: Promise<unknown>[] = [];
      for (let i = 0; i < 10; i++) {
        const command = bytes(1_000);
        held.push(new WeakRef(command));
        const controller = new AbortController();
        endings.push(ending(submissions.submit(command, undefined, { deadlineMs: round * 10, signal: controller.signal })));
        if (i % 2 === 0) controller.abort();
      }
      submissions.expire(round * 10);
      expect(new Set(await Promise.all(endings))).toEqual(new Set(["TIMED_OUT"]));
    }
    await new Promise(setImmediate); // a WeakRef holds on until the end of the turn
    collect();
    expect([submissions.commands, submissions.bytes]).toEqual([1, 1]);
    expect(held.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(10);
  });

  it("keep their turn, and reads theirs behind them, when those around them have ended", () => {
    const { submissions } = make();
    const submit = (size: number, deadlineMs: number): void => { submissions.submit(bytes(size), undefined, { deadlineMs }).catch(() => undefined); };
    const read = (): void => { submissions.barrier({ deadlineMs: 1_000 }).catch(() => undefined); };
    for (let i = 0; i < 5; i++) submit(100 + i, 10);
    submit(1, 1_000);
    read();
    for (let i = 0; i < 5; i++) submit(200 + i, 10);
    submit(2, 1_000);
    read();
    submissions.expire(10);
    expect(submissions.take(1, 3)).toEqual([]);
    expect([submissions.pressing(3), submissions.pressing(5), submissions.pressing(6)]).toEqual([false, true, true]);
    expect(submissions.take(2, 6).map((command) => command.byteLength)).toEqual([1]);
    expect(submissions.pressing(6)).toBe(false);
    expect(submissions.take(3, 11)).toEqual([]);
    expect(submissions.pressing(11)).toBe(false);
    expect(submissions.take(4).map((command) => command.byteLength)).toEqual([2]);
    expect(submissions.pressing()).toBe(false);
  });

  it("do not count the reads that have ended among those that wait", async () => {
    const { submissions } = make({ pendingSubmissions: 2 });
    const early = [1, 2].map(async () => ending(submissions.barrier({ deadlineMs: 10 })));
    submissions.expire(10);
    expect(await Promise.all(early)).toEqual(["STALE_READ", "STALE_READ"]);
    const late = ending(submissions.barrier(soon));
    submissions.take(1);
    submissions.answer(1, []);
    expect(await late).toEqual(["result", undefined]);
  });

  it("answer a read when the entry that it was sent in is applied, and not by one that was sent before it began", async () => {
    const { submissions } = make();
    void submissions.submit(bytes(1), undefined, soon);
    submissions.take(1);
    let confirmed = false;
    const read = submissions.barrier(soon).then(() => { confirmed = true; return undefined; });
    submissions.take(2);
    submissions.answer(1, [{ ok: true, result: 1 }]);
    await Promise.resolve();
    expect(confirmed).toBe(false);
    submissions.answer(2, []);
    await read;
  });

  it("that were refused are not waited for: only what came after them is to be sent", () => {
    const { submissions } = make();
    for (let n = 0; n < 3; n++) void submissions.submit(bytes(1), undefined, soon).catch(() => undefined);
    submissions.refuseUnsent(new LockstepError("NOT_PRIMARY", "alone"));
    void submissions.submit(bytes(1), undefined, soon);
    expect([submissions.pressing(3), submissions.pressing(4)]).toEqual([false, true]);
  });

  it("that are lost are answered from the table of request ids where it knows them, and unknown otherwise; reads wait on", async () => {
    const { submissions } = make();
    const [known, unknown] = [submissions.submit(bytes(1), "id", soon), submissions.submit(bytes(1), undefined, soon)].map(ending);
    const read = ending(submissions.barrier(soon));
    submissions.take(1);
    submissions.loseSent((requestId) => (requestId === "id" ? { ok: true, result: "first" } : undefined), "lost");
    expect(await Promise.all([known, unknown])).toEqual([["result", "first"], "UNKNOWN_OUTCOME"]);
    expect(submissions.pressing()).toBe(true);
    submissions.take(2);
    submissions.answer(2, []);
    expect(await read).toEqual(["result", undefined]);
  });

  it("and reads end exactly once, whatever happens", async () => {
    const moves = fc.array(fc.oneof(
      fc.record({ move: fc.constantFrom("submit" as const, "barrier" as const, "aborted" as const), deadlineMs: fc.integer({ min: 1, max: 50 }) }),
      fc.record({ move: fc.constantFrom("take" as const, "answer" as const, "lose" as const, "refuse" as const, "loseAll" as const, "giveUp" as const), n: fc.nat({ max: 5 }) }),
      fc.record({ move: fc.constant("expire" as const), byMs: fc.nat({ max: 20 }) }),
    ), { maxLength: 60 });
    await fc.assert(fc.asyncProperty(moves, async (history) => {
      const { submissions } = make({ batchBytes: 30 });
      const endings: Promise<unknown>[] = [];
      const inFlight: { n: number; count: number }[] = [];
      let n = 0;
      let nowMs = 0;
      for (const step of history) {
        if (step.move === "submit") endings.push(ending(submissions.submit(bytes(10), undefined, { deadlineMs: nowMs + step.deadlineMs })));
        else if (step.move === "aborted") {
          const controller = new AbortController();
          endings.push(ending(submissions.submit(bytes(10), undefined, { deadlineMs: nowMs + step.deadlineMs, signal: controller.signal })));
          controller.abort();
        } else if (step.move === "barrier") endings.push(ending(submissions.barrier({ deadlineMs: nowMs + step.deadlineMs })));
        else if (step.move === "take") inFlight.push({ n: ++n, count: submissions.take(n).length });
        else if (step.move === "refuse") submissions.refuseUnsent(new LockstepError("NOT_PRIMARY", "alone"));
        else if (step.move === "loseAll") {
          submissions.loseSent(() => undefined, "lost");
          inFlight.length = 0;
        } else if (step.move === "giveUp") {
          submissions.giveUpSent("no quorum");
          inFlight.length = 0;
        } else if (step.move === "expire") submissions.expire((nowMs += step.byMs));
        else if ("n" in step) {
          const [batch] = inFlight.splice(step.n % Math.max(1, inFlight.length), 1);
          if (batch === undefined) continue;
          if (step.move === "lose") submissions.lose(batch.n, () => undefined, "lost");
          else submissions.answer(batch.n, Array.from({ length: batch.count }, () => ({ ok: true as const, result: batch.n })));
        }
      }
      submissions.expire(Number.POSITIVE_INFINITY);
      await Promise.all(endings);
      for (const { n: left } of inFlight) submissions.withdraw(left);
      submissions.take(n + 1);
      submissions.withdraw(n + 1);
      expect([submissions.commands, submissions.bytes, submissions.pressing()]).toEqual([0, 0, false]);
    }));
  });
});
