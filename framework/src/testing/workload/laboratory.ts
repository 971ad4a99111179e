/** The machine that the protocol is proved with: a bit of everything that a machine can do, and every effect can be told apart. */
import { defineMachine } from "../../machine/define-machine.js";
import { reject } from "../../machine/reject.js";
import { Table } from "../../machine/table.js";
import type { Draft } from "immer";

export interface Laboratory {
  readonly registers: Table<string, number>;
  readonly counters: Table<string, number>;
  readonly maps: Table<string, number>;
  /** How often each operation took effect, by its name. */
  readonly effects: Table<string, number>;
  /** Timers set and not yet fired: when they are due. */
  readonly timers: Table<string, number>;
  readonly blobs: Table<string, Uint8Array>;
  readonly chance: Table<string, string>;
  /** Not in a Table: plain data, changed in place. */
  readonly notes: Map<string, { readonly texts: readonly string[]; readonly latest: { readonly at: number } }>;
  readonly members: readonly number[];
  readonly revision: number;
}

interface Named {
  /** Of one operation, all its attempts included. */
  readonly op: string;
}

function took(draft: Draft<Laboratory>, op: string): void {
  draft.effects.set(op, (draft.effects.get(op) ?? 0) + 1);
  draft.revision++;
}

export const laboratory = defineMachine({
  name: "laboratory",
  version: 1,
  initialState: (): Laboratory => ({
    registers: new Table(), counters: new Table(), maps: new Table(), effects: new Table(), timers: new Table(), blobs: new Table(), chance: new Table(),
    notes: new Map(), members: [], revision: 0,
  }),
  commands: (command) => ({
    write: command((draft, { op, key, value }: Named & { key: string; value: number }) => {
      took(draft, op);
      draft.registers.set(key, value);
      return null;
    }),
    add: command((draft, { op, key }: Named & { key: string }) => {
      took(draft, op);
      const sum = (draft.counters.get(key) ?? 0) + 1;
      draft.counters.set(key, sum);
      return sum;
    }),
    /** 0 stands for a key that is not there. */
    swap: command((draft, { op, key, expected, value }: Named & { key: string; expected: number; value: number }) => {
      took(draft, op);
      if ((draft.maps.get(key) ?? 0) !== expected) return false;
      draft.maps.set(key, value);
      return true;
    }),
    refuse: command((draft, { op, key }: Named & { key: string }) => {
      took(draft, op);
      draft.registers.set(key, -1);
      throw reject("refused", { key });
    }),
    note: command((draft, { op, key }: Named & { key: string }, context) => {
      took(draft, op);
      const note = draft.notes.get(key);
      if (note === undefined) draft.notes.set(key, { texts: [op], latest: { at: context.now } });
      else {
        note.texts.push(op);
        note.latest.at = context.now;
        if (note.texts.length > 3) note.texts.shift();
      }
      return draft.notes.size;
    }),
    later: command((draft, { op, delayMs }: Named & { delayMs: number }, context) => {
      took(draft, op);
      draft.timers.set(op, context.now + delayMs);
      context.schedule(context.now + delayMs, "ring", { op });
      return null;
    }),
    ring: command((draft, { op }: Named, context) => {
      const due = draft.timers.get(op);
      if (due === undefined) throw new Error(`the timer ${op} fired twice`);
      if (context.now < due) throw new Error(`the timer ${op} fired ${due - context.now} ms too early`);
      draft.timers.delete(op);
      draft.revision++;
    }),
    blob: command((draft, { op, bytes }: Named & { bytes: Uint8Array }) => {
      took(draft, op);
      draft.blobs.set(op, bytes);
      if (draft.blobs.size > 5) draft.blobs.delete(draft.blobs.first()?.[0] ?? "");
      return draft.blobs.size;
    }),
    dice: command((draft, { op }: Named, context) => {
      took(draft, op);
      const result = `${context.uuid()} ${context.random()}`;
      draft.chance.set(op, result);
      return result;
    }),
  }),
  queries: {
    register: (state, key: string) => state.registers.get(key) ?? 0,
    counter: (state, key: string) => state.counters.get(key) ?? 0,
    entry: (state, key: string) => state.maps.get(key) ?? 0,
    revision: (state) => state.revision,
  },
  onMembersChanged: (draft, { members }) => {
    draft.members = members.map(({ slot }) => slot);
    draft.revision++;
  },
});
