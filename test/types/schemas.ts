/**
 * Inputs and results of submit, and arguments and results of query, are inferred alike from schemas of each library that the guide
 * names. Checked by `tsc -b`; nothing here runs.
 */
import { defineMachine, Table, type Machine, type Replica } from "@lockstep/framework";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";

const initialState = () => ({ totals: new Table<string, number>() });
type State = ReturnType<typeof initialState>;

const queries = { total: (state: State, owner: string) => state.totals.get(owner) };

const viaZod = defineMachine({
  name: "zod", version: 1, initialState, queries,
  commands: (command) => ({
    add: command(z.object({ owner: z.string(), by: z.string().transform(Number) }), (draft, { owner, by }) => {
      // @ts-expect-error the schema's output is typed: by is a number by now
      const wrong: string = by;
      draft.totals.set(owner, by + wrong.length);
      return { by };
    }),
  }),
});

const viaValibot = defineMachine({
  name: "valibot", version: 1, initialState, queries,
  commands: (command) => ({
    add: command(v.object({ owner: v.string(), by: v.pipe(v.string(), v.transform(Number)) }), (draft, { owner, by }) => {
      // @ts-expect-error the schema's output is typed: by is a number by now
      const wrong: string = by;
      draft.totals.set(owner, by + wrong.length);
      return { by };
    }),
  }),
});

const viaArktype = defineMachine({
  name: "arktype", version: 1, initialState, queries,
  commands: (command) => ({
    add: command(type({ owner: "string", by: "string.integer.parse" }), (draft, { owner, by }) => {
      // @ts-expect-error the schema's output is typed: by is a number by now
      const wrong: string = by;
      draft.totals.set(owner, by + wrong.length);
      return { by };
    }),
  }),
});

/** Assignable both ways, and not any. */
type Equal<A, B> = 0 extends 1 & A ? false : [A, B] extends [B, A] ? true : false;
type Holds<T extends true> = T;
type ReplicaOf<M> = M extends Machine<infer S, infer C, infer Q> ? Replica<S, C, Q> : never;

/** Of one library. */
type Checks<R extends { readonly submit: { add(input: never): Promise<unknown> }; readonly query: { total(owner: never): Promise<unknown> } }> = [
  Equal<Parameters<R["submit"]["add"]>[0], { owner: string; by: string }>,
  Equal<Awaited<ReturnType<R["submit"]["add"]>>, { by: number }>,
  Equal<Parameters<R["query"]["total"]>[0], string>,
  Equal<Awaited<ReturnType<R["query"]["total"]>>, number | undefined>,
];
type All = [true, true, true, true];

export type Inferred = [
  Holds<Equal<Checks<ReplicaOf<typeof viaZod>>, All>>,
  Holds<Equal<Checks<ReplicaOf<typeof viaValibot>>, All>>,
  Holds<Equal<Checks<ReplicaOf<typeof viaArktype>>, All>>,
];

export async function zodCalls({ submit, query }: ReplicaOf<typeof viaZod>): Promise<void> {
  await submit.add({ owner: "x", by: "1" }, { requestId: "r" });
  await query.total("x", { consistency: "linearizable" });
  // @ts-expect-error the input is the schema's input: by is a string yet
  await submit.add({ owner: "x", by: 1 });
  // @ts-expect-error a property is missing
  await submit.add({ by: "1" });
  // @ts-expect-error the argument has the wrong type
  await query.total(1);
}

export async function valibotCalls({ submit, query }: ReplicaOf<typeof viaValibot>): Promise<void> {
  await submit.add({ owner: "x", by: "1" }, { requestId: "r" });
  await query.total("x", { consistency: "linearizable" });
  // @ts-expect-error the input is the schema's input: by is a string yet
  await submit.add({ owner: "x", by: 1 });
  // @ts-expect-error a property is missing
  await submit.add({ by: "1" });
  // @ts-expect-error the argument has the wrong type
  await query.total(1);
}

export async function arktypeCalls({ submit, query }: ReplicaOf<typeof viaArktype>): Promise<void> {
  await submit.add({ owner: "x", by: "1" }, { requestId: "r" });
  await query.total("x", { consistency: "linearizable" });
  // @ts-expect-error the input is the schema's input: by is a string yet
  await submit.add({ owner: "x", by: 1 });
  // @ts-expect-error a property is missing
  await submit.add({ by: "1" });
  // @ts-expect-error the argument has the wrong type
  await query.total(1);
}
