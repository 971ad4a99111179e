/** What is tried on a workspace, and what comes of it: what main.ts and the process that does it (trial-process.ts) tell each other. */
import type { Level } from "./mutation.js";

export type Trial =
  | { readonly kind: "histories"; readonly directory: string; readonly level: Level; readonly seed: number; readonly histories: number }
  | { readonly kind: "scenario"; readonly directory: string; readonly name: string }
  | { readonly kind: "test"; readonly directory: string; readonly file: string };

export type Outcome =
  | { readonly kind: "survived"; readonly histories: number }
  | { readonly kind: "caught"; readonly histories: number; readonly seed: number | undefined; readonly what: string }
  /** Neither: the code under trial, or the simulation itself, failed in another way. */
  | { readonly kind: "broke"; readonly what: string };

export type Report = Outcome | { readonly kind: "progress"; readonly histories: number };

export function nameOf(trial: Trial): string {
  switch (trial.kind) {
    case "histories": return trial.level === "core" ? "histories of cores" : "histories of replicas";
    case "scenario": return `test/scenarios/${trial.name}.txt`;
    case "test": return `framework/test/${trial.file}`;
    default: return trial satisfies never;
  }
}
