/** What came of each mistake: a line on the console, and the table in docs/mutations.md. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Mutation } from "./mutation.js";
import { nameOf, type Outcome, type Trial } from "./trial.js";

export interface Result {
  readonly mutation: Mutation;
  readonly good: boolean;
  /** What found it, if something did. */
  readonly by?: Trial["kind"];
  /** For the table: by what, and after how long. */
  readonly verdict: string;
  /** For the console. */
  readonly details: string | undefined;
}

export function judge(mutation: Mutation, trial: Trial, outcome: Outcome): Result {
  const { caught } = mutation;
  const where = trial.kind === "histories" ? `${outcome.kind === "broke" ? "" : `${outcome.histories} `}${nameOf(trial)}` : `\`${nameOf(trial)}\``;
  if (outcome.kind === "broke") return { mutation, good: false, verdict: `**broke** in ${where}`, details: outcome.what };
  if (caught.by === "nothing") {
    if (outcome.kind === "survived") return { mutation, good: true, verdict: `changes nothing: ${caught.why} (${where} went well)`, details: undefined };
    return { mutation, good: false, verdict: `**changes something**: ${nameOf(trial)}, number ${outcome.histories}`, details: outcome.what };
  }
  if (outcome.kind === "survived") return { mutation, good: false, verdict: `**not found** in ${where}`, details: undefined };
  return { mutation, good: true, by: trial.kind, verdict: trial.kind === "histories" ? `${nameOf(trial)}: number ${outcome.histories}, ${ruleOf(outcome.what)}` : where, details: firstLine(outcome.what) };
}

/** The rule's name, which a violation's message begins with. */
function ruleOf(what: string): string {
  const stopped = /stopped: ([A-Z_]{4,})?/.exec(what);
  if (stopped !== null) return stopped[1] === undefined ? "own assertion" : `own assertion ${stopped[1]}`;
  if (what.startsWith("a history that does not end")) return "a history that does not end";
  if (what.includes("was decided twice")) return "invariant 3";
  if (what.includes("which its log does not hold")) return "invariant 7";
  return /^(invariant \d|[a-z]+(?= ?:))/.exec(what)?.[1] ?? firstLine(what);
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

export function printLine({ mutation, good, verdict, details }: Result): void {
  console.log(`${good ? "  " : "✗ "}${mutation.id}: ${verdict.replaceAll(/[*`]/g, "")}${details === undefined ? "" : `\n      ${details.slice(0, 1_500)}`}`);
}

const [begin, end] = ["<!-- results: written by npm run mutations -->", "<!-- end of results -->"];

/** @throws Error if the page has no place for the table. */
export function writeTable(page: string, results: readonly Result[], summary: string): void {
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no lines ${begin} and ${end} around the table`);
  const rows = results.map(({ mutation, verdict }) => `| ${mutation.id} | ${mutation.rule} (${mutation.section}) | ${verdict} |`);
  const table = ["| mistake | the rule that it breaks | found by |", "| --- | --- | --- |", ...rows].join("\n");
  writeFileSync(page, `${text.slice(0, from)}${begin}\n${summary}\n\n${table}\n${text.slice(to)}`);
}
