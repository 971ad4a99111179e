/** defineMachine: checks a definition, once, before anything is replicated. Not the running of it; see apply/. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { reservedPrefix } from "../apply/operations.js";
import { LockstepError } from "../errors.js";
import type { AnyCommand, AnyQuery, Command, CommandHandler, Machine, MachineDefinition, RequestRetention } from "./types.js";

const defaultRetention: RequestRetention = { maxRequests: 100_000 };
/** Names that would not work as properties of submit and query: a `then` makes an object look like a promise. */
const reservedNames = new Set(["then", "constructor", "__proto__", "prototype", "toString", "toJSON", "valueOf"]);
const maxNameLength = 100;
/** A name that is misspelt would leave a part out without a word. */
const partNames: Readonly<Record<keyof MachineDefinition<unknown, unknown, unknown>, true>> = {
  name: true, version: true, initialState: true, commands: true, queries: true, onMembersChanged: true, requestRetention: true,
};

/**
 * Declares a replicated state machine. State, input and result types are inferred:
 *
 *     const counters = defineMachine({
 *       name: "counters",
 *       version: 1,
 *       initialState: (): Counters => ({ values: new Table() }),
 *       commands: (command) => ({
 *         add: command(AddInput, (draft, { name, by }, context) => …),
 *       }),
 *       queries: { total: (state, name: string) => state.values.get(name) },
 *     });
 *
 * `commands` is a function because TypeScript infers the type of each `draft` from `initialState` only that way.
 * @throws LockstepError CONFIGURATION_INVALID saying what is wrong and how to mend it.
 */
export function defineMachine<S, C extends Readonly<Record<string, AnyCommand<S>>>, Q extends Readonly<Record<string, AnyQuery<S>>>>(
  definition: MachineDefinition<S, C, Q>,
): Machine<S, C, Q> {
  check(isRecord(definition), `it takes an object: name, version, initialState and commands at least; not ${show(definition)}`);
  for (const part of Object.keys(definition)) check(Object.hasOwn(partNames, part), `${part} is not a part of a machine; there are ${Object.keys(partNames).join(", ")}`);
  const { name, version, initialState, queries, onMembersChanged, requestRetention = defaultRetention } = definition;
  check(typeof name === "string" && name.length > 0 && name.length <= maxNameLength, `name must be a string of 1 to ${maxNameLength} characters, not ${show(name)}`);
  check(Number.isSafeInteger(version) && version >= 1, `version must be a positive integer, not ${show(version)}`);
  check(typeof initialState === "function", `initialState must be a function that returns the first state, not ${show(initialState)}`);
  check(typeof definition.commands === "function", `commands must be a function: commands: (command) => ({ … }), not ${show(definition.commands)}`);
  check(onMembersChanged === undefined || typeof onMembersChanged === "function", `onMembersChanged must be a function, not ${show(onMembersChanged)}`);
  check(isRecord(requestRetention), `requestRetention must be an object: { maxRequests: 100_000 }, not ${show(requestRetention)}`);
  const { maxRequests } = requestRetention;
  check(Number.isSafeInteger(maxRequests) && maxRequests >= 1, `requestRetention.maxRequests must be a positive integer, not ${show(maxRequests)}`);
  const commands = definition.commands(makeCommand);
  checkCommands(commands);
  checkQueries(queries);
  return Object.freeze({
    name,
    version,
    initialState,
    commands: Object.freeze(commands),
    queries: Object.freeze(queries ?? ({} as Q)),
    onMembersChanged,
    requestRetention: Object.freeze({ maxRequests }),
  });
}

function makeCommand<S, In, Out, R>(...parts: [CommandHandler<S, Out, R>] | [StandardSchemaV1<In, Out>, CommandHandler<S, Out, R>]): Command<S, In, Out, R> {
  const [schema, handler] = parts.length === 1 ? [undefined, parts[0]] : parts;
  check(schema === undefined || isStandardSchema(schema), `command() takes (schema, handler) or (handler); ${show(schema)} is not a Standard Schema (zod, valibot, arktype, …)`);
  check(typeof handler === "function", `command() takes (schema, handler) or (handler); ${show(handler)} is not a function`);
  return Object.freeze({ schema, handler });
}

function checkCommands(commands: unknown): void {
  check(isRecord(commands), `commands must return an object of commands, not ${show(commands)}`);
  check(Object.keys(commands).length > 0, "commands must declare at least one command");
  for (const [name, command] of Object.entries(commands)) {
    checkName("command", name);
    check(isRecord(command) && typeof command["handler"] === "function", `commands.${name} must be made with command(…), not ${show(command)}`);
  }
}

function checkQueries(queries: unknown): void {
  if (queries === undefined) return;
  check(isRecord(queries), `queries must be an object of functions, not ${show(queries)}`);
  for (const [name, query] of Object.entries(queries)) {
    checkName("query", name);
    check(typeof query === "function", `queries.${name} must be a function (state, …) => result, not ${show(query)}`);
  }
}

function checkName(what: string, name: string): void {
  check(name.length > 0 && name.length <= maxNameLength, `the name of a ${what} must have 1 to ${maxNameLength} characters, not ${show(name)}`);
  check(!reservedNames.has(name), `${show(name)} cannot be the name of a ${what}: it has a meaning of its own in JavaScript; choose another`);
  check(!name.startsWith(reservedPrefix), `${show(name)} cannot be the name of a ${what}: what begins with ${show(reservedPrefix)} is the framework's; choose another`);
}

function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new LockstepError("CONFIGURATION_INVALID", `defineMachine: ${message}.`);
}

function isStandardSchema(value: unknown): boolean {
  // arktype's schemas are functions.
  if ((typeof value !== "object" && typeof value !== "function") || value === null || !("~standard" in value)) return false;
  const standard = value["~standard"];
  return typeof standard === "object" && standard !== null && "validate" in standard && typeof standard.validate === "function";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "function" ? "a function" : typeof value === "object" && value !== null ? "an object" : String(value);
}
