/** The libraries that the guide names, as they are: what each accepts, changes and refuses on the way to a command. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import * as v from "valibot";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createReplica } from "../../src/create-replica.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { Table } from "../../src/machine/table.js";
import { memory } from "../../src/transport/memory/index.js";

interface Written {
  readonly owner: string;
  readonly amount: string;
}
interface Deposit {
  readonly owner: string;
  readonly amount: number;
}

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function openBank(schema: StandardSchemaV1<Written, Deposit>) {
  const bank = defineMachine({
    name: "bank", version: 1,
    initialState: () => ({ balances: new Table<string, number>() }),
    commands: (command) => ({
      deposit: command(schema, (draft, { owner, amount }) => {
        const balance = (draft.balances.get(owner) ?? 0) + amount;
        draft.balances.set(owner, balance);
        return balance;
      }),
    }),
    queries: { balance: (state, owner: string) => state.balances.get(owner) },
  });
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const replica = await createReplica(bank, { group: "bank", transport: memory(), logger });
  stops.push(() => replica.stop());
  await replica.ready();
  return replica;
}

const libraries = {
  zod: z.object({ owner: z.string().trim(), amount: z.string().regex(/^\d+$/).transform(Number) }),
  valibot: v.object({ owner: v.pipe(v.string(), v.trim()), amount: v.pipe(v.string(), v.digits(), v.transform(Number)) }),
  arktype: type({ owner: "string.trim", amount: "string.integer.parse" }),
} satisfies Record<string, StandardSchemaV1<Written, Deposit>>;

describe.each(Object.entries(libraries))("a schema of %s", (vendor, schema: StandardSchemaV1<Written, Deposit>) => {
  it("is its own library's", () => {
    expect(schema["~standard"]).toMatchObject({ version: 1, vendor });
  });

  it("gives the handler its output, which is also what is replicated", async () => {
    const replica = await openBank(schema);
    const from = replica.inspect().positions.applied + 1;
    expect(await replica.submit.deposit({ owner: " ada ", amount: "40" })).toBe(40);
    expect(await replica.submit.deposit({ owner: "ada", amount: "2" })).toBe(42);
    expect(await replica.query.balance("ada", { consistency: "linearizable" })).toBe(42);
    const { value } = await replica.events({ from }).next();
    expect(value).toMatchObject({ command: "deposit", input: { owner: "ada", amount: 40 } });
  });

  it("refuses wrong input before it is sent, with the library's own words", async () => {
    const replica = await openBank(schema);
    const { submitted } = replica.inspect().totals;
    const wrong = { owner: 7, amount: "much" } as unknown as Written;
    const result = await schema["~standard"].validate(wrong);
    expect(result.issues?.length).toBeGreaterThan(0);
    const refused: unknown = await replica.submit.deposit(wrong).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "INVALID_INPUT", outcome: "none" });
    const { message, details } = refused as { message: string; details: readonly StandardSchemaV1.Issue[] };
    expect(message).toBe(`deposit: ${(result.issues ?? []).map((issue) => issue.message).join("; ")}`);
    expect(details.map((issue) => issue.message)).toEqual(result.issues?.map((issue) => issue.message));
    const paths = details.map((issue) => issue.path?.map((part) => (typeof part === "object" ? part.key : part)).join("."));
    expect(new Set(paths)).toEqual(new Set(["owner", "amount"]));
    expect(replica.inspect().totals.submitted).toBe(submitted);
  });
});

/** Those whose validation takes a promise where a rule is one. */
const waiting = {
  zod: z.object({ owner: z.string().refine(async (owner) => Promise.resolve(owner !== "nobody"), "no such owner"), amount: z.string().transform(Number) }),
  valibot: v.objectAsync({ owner: v.pipeAsync(v.string(), v.checkAsync(async (owner) => Promise.resolve(owner !== "nobody"), "no such owner")), amount: v.pipe(v.string(), v.transform(Number)) }),
} satisfies Record<string, StandardSchemaV1<Written, Deposit>>;

describe.each(Object.entries(waiting))("a schema of %s that must wait", (_vendor, schema: StandardSchemaV1<Written, Deposit>) => {
  it("is waited for before the command is sent", async () => {
    const replica = await openBank(schema);
    expect(await replica.submit.deposit({ owner: "ada", amount: "1" })).toBe(1);
    await expect(replica.submit.deposit({ owner: "nobody", amount: "1" })).rejects.toMatchObject({ code: "INVALID_INPUT", message: "deposit: no such owner" });
  });
});
