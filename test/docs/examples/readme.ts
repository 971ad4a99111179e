import { MemoryNetwork, Table, createReplica, defineMachine, memory, reject, rejectionOf } from "@lockstep/framework";

const seats = defineMachine({
  name: "seats",
  version: 1,
  initialState: () => ({ owners: new Table<string, string>() }),
  commands: (command) => ({
    book: command((draft, { seat, owner }: { seat: string; owner: string }) => {
      if (draft.owners.has(seat)) throw reject("taken", { by: draft.owners.get(seat) });
      draft.owners.set(seat, owner);
      return draft.owners.size;
    }),
  }),
  queries: { ownerOf: (state, seat: string) => state.owners.get(seat) },
});

// Three replicas in one process. On a cluster, each node runs one, with transport: corosync().
const network = new MemoryNetwork({ nodes: 3 });
const start = (nodeId: number) => createReplica(seats, { group: "seats", transport: memory({ network, nodeId }) });
const [one, two, three] = await Promise.all([start(1), start(2), start(3)]);
await Promise.all([one.ready(), two.ready(), three.ready()]);

console.log(await one.submit.book({ seat: "4A", owner: "Ada" }, { requestId: "order-17" }));
console.log(await two.submit.book({ seat: "4A", owner: "Ada" }, { requestId: "order-17" }));
console.log(await three.query.ownerOf("4A", { consistency: "linearizable" }));
console.log(await three.submit.book({ seat: "4A", owner: "Bob" }).catch((error: unknown) => rejectionOf(error)));

await Promise.all([one.stop(), two.stop(), three.stop()]);
