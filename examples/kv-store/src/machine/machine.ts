/** The replicated machine of the key-value store: its commands and queries under their names. */
import { defineMachine, type Replica } from "@lockstep/framework";
import { expire, expireDue, increment, persist, remove, set, setMany } from "./commands.js";
import { countPresent, get, getMany, lifetime, matching, scan, size } from "./queries.js";
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
  queries: { get, getMany, countPresent, lifetime, size, matching, scan },
});

export type KvReplica = Replica<KvState, typeof kvMachine.commands, typeof kvMachine.queries>;
