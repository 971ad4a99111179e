/**
 * What must compile and what must not: definitions, submissions and queries are typed by inference alone. Checked by
 * `tsc -b`; nothing here runs.
 */
import { defineMachine, reject, Table, type Draft, type Machine, type Replica, type StateOf, type SubmitOptions } from "@lockstep/framework";
import { z } from "zod";

interface Account {
  readonly owner: string;
  readonly balance: number;
}
interface Bank {
  readonly accounts: Table<string, Account>;
  readonly totals: Record<string, number>;
}

const Deposit = z.object({ owner: z.string(), amount: z.coerce.number() });

const bank = defineMachine({
  name: "bank",
  version: 1,
  initialState: (): Bank => ({ accounts: new Table(), totals: {} }),
  commands: (command) => ({
    deposit: command(Deposit, (draft, { owner, amount }, context) => {
      const isDraft: Draft<Bank> = draft;
      if (amount <= 0) throw reject("not-positive", { at: context.now });
      isDraft.accounts.update(owner, (account) => {
        account.balance += amount;
        // @ts-expect-error the value's properties are typed
        account.balance = "much";
      });
      draft.totals[owner] = amount;
      // @ts-expect-error the schema's output is typed: amount is a number by now
      const text: string = amount;
      return draft.accounts.get(owner)?.balance ?? text.length;
    }),
    close: command((draft, input: { owner: string }) => draft.accounts.delete(input.owner)),
    reset: command((draft) => {
      // @ts-expect-error no such property
      draft.account.clear();
      draft.accounts.clear();
    }),
  }),
  queries: {
    balance: (state, owner: string) => state.accounts.get(owner)?.balance,
    owners: (state) => [...state.accounts.keys()],
    later: async (state, by: number) => Promise.resolve(state.accounts.size + by),
  },
  onMembersChanged: (draft, change, context) => {
    draft.totals["members"] = change.members.length + context.position;
  },
});

/** Assignable both ways, and not any. */
type Equal<A, B> = 0 extends 1 & A ? false : [A, B] extends [B, A] ? true : false;
type Holds<T extends true> = T;

type ReplicaOf<M> = M extends Machine<infer S, infer C, infer Q> ? Replica<S, C, Q> : never;
type BankReplica = ReplicaOf<typeof bank>;
type Submit = BankReplica["submit"];
type Query = BankReplica["query"];

export type Inferred = [
  Holds<Equal<StateOf<typeof bank>, Bank>>,
  Holds<Equal<BankReplica["state"], Bank>>,
  Holds<Equal<Parameters<Submit["deposit"]>[0], { owner: string; amount: unknown }>>,
  Holds<Equal<ReturnType<Submit["deposit"]>, Promise<number>>>,
  Holds<Equal<ReturnType<Submit["close"]>, Promise<boolean>>>,
  Holds<Equal<ReturnType<Submit["reset"]>, Promise<void>>>,
  Holds<Equal<ReturnType<Query["balance"]>, Promise<number | undefined>>>,
  Holds<Equal<ReturnType<Query["owners"]>, Promise<string[]>>>,
  Holds<Equal<ReturnType<Query["later"]>, Promise<number>>>,
  // @ts-expect-error the helpers tell types apart
  Holds<Equal<BankReplica["state"], { totals: number }>>,
];

export async function calls(replica: BankReplica, options: SubmitOptions): Promise<void> {
  await replica.submit.deposit({ owner: "x", amount: "1" }, options);
  await replica.submit.close({ owner: "x" });
  await replica.submit.reset();
  await replica.query.balance("x", { consistency: "linearizable" });
  await replica.query.owners();
  // @ts-expect-error a property is missing
  await replica.submit.deposit({ amount: 1 });
  // @ts-expect-error the input is missing
  await replica.submit.close();
  // @ts-expect-error the input has the wrong type
  await replica.submit.close({ owner: 1 });
  // @ts-expect-error no such command
  await replica.submit.withdraw({ owner: "x" });
  // @ts-expect-error no such option
  await replica.submit.reset(undefined, { timeout: 1 });
  // @ts-expect-error the argument has the wrong type
  await replica.query.balance(1);
  // @ts-expect-error no such query
  await replica.query.total("x");
}

const bare = defineMachine({ name: "bare", version: 1, initialState: () => ({ n: 0 }), commands: (command) => ({ add: command((draft) => ++draft.n) }) });

export async function bareCalls(replica: ReplicaOf<typeof bare>): Promise<void> {
  const total: number = await replica.submit.add();
  // @ts-expect-error a machine without queries has none
  await replica.query.total(total);
}

// @ts-expect-error commands are needed
defineMachine({ name: "x", version: 1, initialState: () => ({}) });

defineMachine({
  name: "x",
  version: 1,
  initialState: () => ({ n: 0 }),
  // @ts-expect-error a command is made with command()
  commands: () => ({ add: (draft: { n: number }) => ++draft.n }),
});
