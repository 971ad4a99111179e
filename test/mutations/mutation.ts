/** One deliberate mistake: a rule of the protocol, left out or turned round. */

export interface Edit {
  /** Below framework/src. */
  readonly file: string;
  /** Occurs there exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** core: cores with a list for a machine, many histories a second. replica: everything from submit to the answers of clients. */
export type Level = "core" | "replica";

export type Catch =
  /** Random histories find it; `otherwise` a transcript, for those that they seldom come upon. */
  | { readonly by: "histories"; readonly level: Level; readonly otherwise?: string }
  /** Too rare at random: this transcript of test/scenarios goes another way. */
  | { readonly by: "scenario"; readonly name: string }
  /** Histories show it hardly ever, or not at all: this test of a single part does, below framework/test. */
  | { readonly by: "test"; readonly file: string }
  /** Nothing can find it, because; histories of this level go well with it. */
  | { readonly by: "nothing"; readonly level: Level; readonly why: string };

export interface Mutation {
  /** A sentence in kebab case: what the mutated code does. */
  readonly id: string;
  /** The rule that it breaks, as docs/protocol.md has it. */
  readonly rule: string;
  /** Where docs/protocol.md has it: a heading, and the step below it. */
  readonly section: string;
  readonly edits: readonly Edit[];
  readonly caught: Catch;
}

export function byScenario(name: string): Catch {
  return { by: "scenario", name };
}

export const byCoreHistories = { by: "histories", level: "core" } as const;
export const byReplicaHistories = { by: "histories", level: "replica" } as const;
