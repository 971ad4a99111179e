/** The replicated machine of the key-value store: its commands under their names. */
import { defineMachine, type Replica } from "@lockstep/framework";
import { expire, expireDue, increment, persist, remove, set, setMany } from "./commands.js";
import { initialState, type KvState } from "./state.js";

// No validators: this package's command table is the only caller, and it has parsed every argument already.
export const kvMachine = defineMachine({
  name: "lockstep-kv",
  version: 1,
  initialState,
  commands: (command) => ({
    set: command(set),
    setMany: command(setMany),
    remove: command(remove),
    increment: command(increment),
    expire: command(expire),
    persist: command(persist),
    expireDue: command(expireDue),
  }),
  // Reading is done on the whole state, which is immutable: one linearizable query can then serve many reads.
  queries: { current: (state: KvState) => state },
});

export type KvReplica = Replica<KvState, typeof kvMachine.commands, typeof kvMachine.queries>;
