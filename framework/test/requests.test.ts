/** What JavaScript may give to a replica, whatever the types say: refused in the promise, with nothing else disturbed. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { afterEach, describe, expect, it } from "vitest";
import { createReplica } from "../src/create-replica.js";
import { defineMachine } from "../src/machine/define-machine.js";
import type { QueryOptions, SubmitOptions } from "../src/replica-api.js";
import { memory } from "../src/transport/memory/index.js";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => { await Promise.all(stops.splice(0).map((stop) => stop())); });

type Settle = (value: unknown) => void;

/** What can be awaited and is no promise. */
function thenable(then: (done: Settle, failed: Settle) => void): object {
  const given = {};
  Reflect.set(given, "then", then);
  return given;
}

/** A replica whose command validates as told, and keeps the inputs it was run with. */
async function open(validate: (input: unknown) => unknown = (value) => ({ value })) {
  const schema = { "~standard": { version: 1, vendor: "a test", validate } } as StandardSchemaV1<unknown, unknown>;
  const machine = defineMachine({
    name: "keeper", version: 1,
    initialState: () => ({ inputs: [] as unknown[] }),
    commands: (command) => ({ keep: command(schema, (draft, input) => draft.inputs.push(input)) }),
    queries: { count: (state) => state.inputs.length },
  });
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const replica = await createReplica(machine, { group: "keeper", transport: memory(), logger });
  stops.push(() => replica.stop());
  await replica.ready();
  return replica;
}

describe("a request id that is none", () => {
  it.each([["a number", 5], ["null", null], ["an array, which has a length", ["x"]], ["a boolean", true]])("as %s is refused, and what is submitted with it is not", async (_what, id) => {
    const replica = await open();
    const options = { requestId: id } as unknown as SubmitOptions;
    const answers = await Promise.allSettled([replica.submit.keep("a"), replica.submit.keep("b", options), replica.submit.keep("c")]);
    expect(answers).toMatchObject([
      { status: "fulfilled", value: 1 },
      { status: "rejected", reason: { code: "INVALID_INPUT", outcome: "none", message: expect.stringContaining("a request id is a string") as string } },
      { status: "fulfilled", value: 2 },
    ]);
    expect(replica.state.inputs).toEqual(["a", "c"]);
  });

  it("is not one of 1 to 128 characters; those are taken, and answer again", async () => {
    const replica = await open();
    for (const requestId of ["x", "x".repeat(128)]) {
      const first = await replica.submit.keep(requestId.length, { requestId });
      expect(await replica.submit.keep(0, { requestId })).toBe(first);
    }
    for (const requestId of ["", "x".repeat(129)]) await expect(replica.submit.keep(0, { requestId })).rejects.toMatchObject({ code: "INVALID_INPUT", message: "a request id has 1 to 128 characters" });
    expect(replica.state.inputs).toEqual([1, 128]);
  });

  it("and options that are none are refused in the promise", async () => {
    const replica = await open();
    await expect(replica.submit.keep("a", null as unknown as SubmitOptions)).rejects.toMatchObject({ code: "INVALID_INPUT", outcome: "none" });
  });
});

describe("options that are none, or misspelt, and what else JavaScript may give", () => {
  /** @throws as the call does. */
  const calls: [string, string, (replica: Awaited<ReturnType<typeof open>>) => Promise<unknown>][] = [
    ...([["null", null], ["a number", 5], ["an array", []], ["a function", () => undefined]] as [string, never][]).flatMap(([what, none]): typeof calls => [
      ["ready()", `${what} as its options`, (replica) => replica.ready(none)],
      ["events()", `${what} as its options`, (replica) => replica.events(none).next()],
      ["submit", `${what} as its options`, (replica) => replica.submit.keep("a", none)],
      ["backup()", `${what} as its options`, (replica) => replica.backup("never", none)],
    ]),
    ["ready()", "timeout, which is not timeoutMs,", (replica) => replica.ready({ timeout: 5 } as object)],
    ["events()", "form, which is not from,", (replica) => replica.events({ form: 1 } as object).next()],
    ["backup()", "no options", (replica) => (replica.backup as (path: string) => Promise<unknown>)("never")],
    ["backup(path, { by })", "nobody", (replica) => replica.backup("never", {} as never)],
    ["backup(path, { by })", "an empty name", (replica) => replica.backup("never", { by: "" })],
    ["backup(path, { by })", "a name of two lines", (replica) => replica.backup("never", { by: "ada\nbob" })],
    ["backup(path, { by })", "a name that the record would cut", (replica) => replica.backup("never", { by: "a".repeat(301) })],
    ...[5, null, "", "a\0b"].map((path): (typeof calls)[number] => ["a backup is written to a new file", `${JSON.stringify(path)} as its path`, (replica) => replica.backup(path as string, { by: "ada" })]),
    ["onRoleChange()", "a number as the listener", async (replica) => replica.onRoleChange(5 as never)],
  ];

  it.each(calls)("%s refuses %s and says so in its promise; nothing was done", async (call, _what, ask) => {
    const replica = await open();
    const before = replica.inspect().positions.end;
    await expect(ask(replica)).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining(call) as string });
    expect([replica.inspect().positions.end, replica.role]).toEqual([before, "active"]);
  });
});

describe("a signal that is none", () => {
  it.each([["an object", {}], ["null", null], ["true", true], ["what only tells", { aborted: false }], ["what only listens", { aborted: false, addEventListener: () => undefined }]])("as %s is refused wherever one can be given, and the replica goes on", async (_what, given) => {
    const replica = await open();
    const signal = given as unknown as AbortSignal;
    const refused = { code: "INVALID_INPUT", message: expect.stringContaining("signal must be an AbortSignal") as string };
    await expect(replica.submit.keep("a", { signal })).rejects.toMatchObject(refused);
    await expect(replica.query.count({ consistency: "linearizable", signal })).rejects.toMatchObject(refused);
    await expect(replica.ready({ signal })).rejects.toMatchObject(refused);
    const events = replica.events({ signal });
    await expect(events.next()).rejects.toMatchObject(refused);
    expect(await replica.submit.keep("b")).toBe(1);
    expect([replica.role, replica.state.inputs]).toEqual(["active", ["b"]]);
  });
});

describe("a consistency that there is not", () => {
  it.each(["linearisable", "Linearizable", "", null, true])("as %j is refused, and nothing is read from the past in its place", async (consistency) => {
    const replica = await open();
    await expect(replica.query.count({ consistency } as unknown as QueryOptions)).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining("consistency must be") as string });
    expect(await replica.query.count({ consistency: "sequential" })).toBe(0);
  });
});

describe("an option of a query that there is not", () => {
  it("is refused beside a consistency: taken for an argument, the read was from the past", async () => {
    const replica = await open();
    const options = { consistency: "linearizable", requestId: "order-17" } as const;
    await expect(replica.query.count(options)).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining("requestId is not an option of a query") as string });
    expect(await replica.query.count({ consistency: "linearizable", timeoutMs: 5_000 })).toBe(0);
  });
});

describe("events from null", () => {
  it("are refused: what happened before was left out without a word", async () => {
    const replica = await open();
    await expect(replica.events({ from: null as unknown as number }).next()).rejects.toMatchObject({ code: "INVALID_INPUT", message: expect.stringContaining("from position null") as string });
  });
});

describe("an option of submit that is misspelt", () => {
  it("is refused: with a request id left out, a retry would take effect again", async () => {
    const replica = await open();
    await expect(replica.submit.keep("a", { requestID: "order-17" } as SubmitOptions)).rejects.toMatchObject({ code: "INVALID_INPUT", outcome: "none", message: expect.stringContaining("requestID is not an option of submit; there are requestId") as string });
    expect(replica.state.inputs).toEqual([]);
  });
});

describe("a schema", () => {
  const cause = new Error("boom");

  it.each([
    ["throws", () => { throw cause; }],
    ["rejects", () => Promise.reject(cause)],
    ["gives a thenable that rejects", () => thenable((_done, failed) => { failed(cause); })],
  ])("that %s ends the submission in its promise, with the cause, and nothing is sent", async (_what, validate) => {
    const replica = await open(validate);
    const { submitted } = replica.inspect().totals;
    await expect(replica.submit.keep("a")).rejects.toMatchObject({ code: "INVALID_INPUT", outcome: "none", message: "keep: the schema failed: boom", cause });
    expect(replica.inspect().totals.submitted).toBe(submitted);
  });

  it("that gives a thenable of its own is waited for", async () => {
    const resultOf = (input: unknown): unknown => (input === "bad" ? { issues: [{ message: "bad it is" }] } : { value: `${String(input)}, validated` });
    const replica = await open((input) => thenable((done) => { setImmediate(() => { done(resultOf(input)); }); }));
    expect(await replica.submit.keep("good")).toBe(1);
    await expect(replica.submit.keep("bad")).rejects.toMatchObject({ code: "INVALID_INPUT", message: "keep: bad it is" });
    expect(replica.state.inputs).toEqual(["good, validated"]);
  });

  it.each([["nothing", undefined], ["null", null], ["an empty object", {}], ["a promise of nothing", Promise.resolve(undefined)]])("that gives %s lets no input through", async (_what, given) => {
    const replica = await open(() => given);
    await expect(replica.submit.keep("a")).rejects.toMatchObject({ code: "INVALID_INPUT", message: "keep: the schema failed: it gave neither a value nor issues" });
    expect(replica.state.inputs).toEqual([]);
  });
});
