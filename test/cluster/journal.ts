/** The machine of the cluster tests: remembers how often each command took effect, so that loss and repetition show. */
import { createHash } from "node:crypto";
import { Table, defineMachine, reject } from "@lockstep/framework";
import { z } from "zod";

export interface Journal {
  /** Times that the command of this id took effect. */
  readonly effects: Table<string, number>;
  /** Ballast, to make a state of some size. */
  readonly ballast: Table<string, string>;
  /** A rolling checksum over the order in which commands took effect. */
  readonly order: number;
}

export const journal = defineMachine({
  name: "journal",
  version: 1,
  initialState: (): Journal => ({ effects: new Table(), ballast: new Table(), order: 0 }),
  commands: (command) => ({
    note: command(z.object({ id: z.string() }), (draft, { id }) => {
      const times = (draft.effects.get(id) ?? 0) + 1;
      draft.effects.set(id, times);
      draft.order = checksum(draft.order, id);
      return times;
    }),
    load: command((draft, { from, count, bytes }: { from: number; count: number; bytes: number }) => {
      for (let index = from; index < from + count; index++) draft.ballast.set(`ballast-${index}`, String(index).padStart(bytes, "."));
    }),
    refuse: command((_draft, { why }: { why: string }) => {
      throw reject("refused", { why });
    }),
  }),
  queries: {
    timesOf: (state, id: string) => state.effects.get(id) ?? 0,
    effectsOf: (state, ids: readonly string[]) => ids.map((id) => state.effects.get(id) ?? 0),
  },
});

/** SHA-256 over everything that the state has: every id, every value, every byte of ballast. */
export function digestOf({ effects, ballast, order }: Journal): string {
  const hash = createHash("sha256").update(`${order} ${effects.size} ${ballast.size}\n`);
  for (const table of [effects, ballast]) for (const entry of table) hash.update(`${JSON.stringify(entry)}\n`);
  return hash.digest("hex");
}

/** FNV-1a over the text, from a starting value. */
export function checksum(start: number, text: string): number {
  let hash = start ^ 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
