/**
 * JSON with whole numbers of 64 bits: a bigint is written in full, and what JavaScript's numbers do not hold exactly is read as one.
 * Keys' flags have all 64 bits in use where clients mark their locks with them.
 */
import { randomUUID } from "node:crypto";

export type Json = string | number | bigint | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/** Pretty: by four spaces, with a newline at the end, as Consul has it. */
export function writeJson(value: Json, pretty: boolean): string {
  return pretty ? `${write(value, "\n")}\n` : write(value, "");
}

/** @param line what begins a line: a newline and the present indentation; empty if all is to be on one. */
function write(value: Json, line: string): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isList(value)) return enclose("[", value.map((each) => write(each, deeper(line))), "]", line);
  const colon = line === "" ? ":" : ": ";
  const members = Object.entries(value).flatMap(([name, member]) => (member === undefined ? [] : [`${JSON.stringify(name)}${colon}${write(member, deeper(line))}`]));
  return enclose("{", members, "}", line);
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}

function enclose(open: string, parts: readonly string[], close: string, line: string): string {
  if (parts.length === 0) return open + close;
  return `${open}${deeper(line)}${parts.join(`,${deeper(line)}`)}${line}${close}`;
}

function deeper(line: string): string {
  return line === "" ? "" : `${line}    `;
}

/** Begins a string that stands for a number while JSON.parse() is at work: nobody can send one. */
const mark = `${randomUUID()}:`;

const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;

/** @throws SyntaxError */
export function readJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const marked = text.replaceAll(stringOrNumber, (token) => (isInexact(token) ? `"${mark}${token}"` : token));
  return marked === text ? value : JSON.parse(marked, (_name, each: unknown) => (typeof each === "string" && each.startsWith(mark) ? BigInt(each.slice(mark.length)) : each));
}

/** A whole number that is another one as a JavaScript number, or may be. */
function isInexact(token: string): boolean {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
}

/** The members of an object by their names in lower case, as Go reads JSON; undefined if it is none. */
export function membersOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value).flatMap(([name, member]) => (member === null ? [] : [[name.toLowerCase(), member]])));
}

/** Decimal, without leading zeros; undefined unless it is an unsigned number of 64 bits. */
export function unsigned64(value: unknown): string | undefined {
  if (typeof value === "string" ? !/^\d+$/.test(value) : typeof value === "number" ? !Number.isSafeInteger(value) : typeof value !== "bigint") return undefined;
  const number = BigInt(value as string | number | bigint);
  return BigInt.asUintN(64, number) === number ? String(number) : undefined;
}
