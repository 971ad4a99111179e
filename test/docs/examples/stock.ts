/** The machine of docs/guide.md: what a shop has in stock, and what customers have put aside. */
import { Table, defineMachine, reject } from "@lockstep/framework";
import { z } from "zod";

interface Hold {
  readonly sku: string;
  readonly count: number;
  readonly timer: string;
}

interface Stock {
  readonly items: Table<string, number>;
  readonly holds: Table<string, Hold>;
  readonly replicas: readonly number[];
}

const Received = z.object({ sku: z.string().min(1), count: z.number().int().positive() });

export const stock = defineMachine({
  name: "stock",
  version: 1,
  initialState: (): Stock => ({ items: new Table(), holds: new Table(), replicas: [] }),
  commands: (command) => ({
    // With a schema: the input is validated before it is sent.
    receive: command(Received, (draft, { sku, count }) => {
      const total = (draft.items.get(sku) ?? 0) + count;
      draft.items.set(sku, total);
      return total;
    }),
    // Without one: annotate the input.
    hold: command((draft, { sku, count, forMs }: { sku: string; count: number; forMs: number }, context) => {
      const left = draft.items.get(sku) ?? 0;
      if (left < count) throw reject("out-of-stock", { left });
      draft.items.set(sku, left - count);
      const id = context.uuid();
      const timer = context.schedule(context.now + forMs, "release", { id });
      draft.holds.set(id, { sku, count, timer });
      return id;
    }),
    buy: command((draft, { id }: { id: string }, context) => {
      const hold = draft.holds.get(id);
      if (hold === undefined) throw reject("hold-ended");
      context.cancel(hold.timer);
      draft.holds.delete(id);
      return hold.count;
    }),
    // What the timer runs.
    release: command((draft, { id }: { id: string }) => {
      const hold = draft.holds.get(id);
      if (hold === undefined) return;
      draft.items.update(hold.sku, (left) => left + hold.count);
      draft.holds.delete(id);
    }),
  }),
  queries: {
    left: (state, sku: string) => state.items.get(sku) ?? 0,
    skus: (state, prefix: string) => [...state.items.keys({ prefix, limit: 100 })],
  },
  onMembersChanged: (draft, change) => {
    draft.replicas = change.members.map((member) => member.slot);
  },
});
