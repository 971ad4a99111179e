/** Definitions are checked when they are made; rejections carry their code and details. */
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createApplier } from "../../src/apply/applier.js";
import { LockstepError } from "../../src/errors.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject, rejectionOf } from "../../src/machine/reject.js";
import { Table } from "../../src/machine/table.js";

type Loose = Record<string, unknown>;
const define = defineMachine as unknown as (definition: unknown) => unknown;
const good: Loose = { name: "m", version: 1, initialState: () => ({ n: 0 }), commands: (command: (...parts: unknown[]) => unknown) => ({ add: command(() => 1) }) };
const withCommands = (make: (command: (...parts: unknown[]) => unknown) => unknown): Loose => ({ ...good, commands: make });

describe("defineMachine", () => {
  it("returns a frozen machine with defaults", () => {
    const machine = defineMachine({ name: "m", version: 3, initialState: () => ({ n: 0 }), commands: (command) => ({ add: command(z.number(), (draft, by) => (draft.n += by)) }) });
    expect(machine).toMatchObject({ name: "m", version: 3, queries: {}, requestRetention: { maxRequests: 100_000 } });
    expect(machine.commands.add.schema?.["~standard"].vendor).toBe("zod");
    expect([machine, machine.commands, machine.commands.add, machine.queries].every(Object.isFrozen)).toBe(true);
  });

  it("takes any Standard Schema, those that are functions among them", () => {
    const schema = Object.assign(() => 1, { "~standard": { version: 1, vendor: "own", validate: (value: unknown) => ({ value }) } });
    expect(define(withCommands((command) => ({ add: command(schema, () => 1) })))).toMatchObject({ commands: { add: { schema } } });
  });

  it.each<[string, Loose, RegExp]>([
    ["a part that is misspelt", { ...good, onMembersChange: () => {} }, /onMembersChange is not a part of a machine; there are name, .*onMembersChanged/],
    ["a retention that is none", { ...good, requestRetention: null }, /requestRetention must be an object/],
    ["an empty name", { ...good, name: "" }, /name must be a string of 1 to 100 characters, not ""/],
    ["a version that is not a positive integer", { ...good, version: 1.5 }, /version must be a positive integer, not 1.5/],
    ["no initial state", { ...good, initialState: {} }, /initialState must be a function/],
    ["commands that are not made by a function", { ...good, commands: {} }, /commands must be a function/],
    ["commands that are none", withCommands(() => 1), /commands must return an object/],
    ["no command at all", withCommands(() => ({})), /at least one command/],
    ["a command that is a plain function", withCommands(() => ({ add: () => 1 })), /commands\.add must be made with command/],
    ["a command that is undefined", withCommands(() => ({ add: undefined })), /commands\.add must be made with command/],
    ["a command with a reserved name", withCommands((command) => ({ toJSON: command(() => 1) })), /"toJSON" cannot be the name of a command/],
    ["a command without a name", withCommands((command) => ({ "": command(() => 1) })), /the name of a command must have 1 to 100/],
    ["something else than a schema", withCommands((command) => ({ add: command({ x: 1 }, () => 1) })), /an object is not a Standard Schema/],
    ["a schema without a handler", withCommands((command) => ({ add: command(z.number(), undefined) })), /undefined is not a function/],
    ["a query that is no function", { ...good, queries: { total: 1 } }, /queries\.total must be a function/],
    ["queries that are none", { ...good, queries: [] }, /queries must be an object/],
    ["a members handler that is no function", { ...good, onMembersChanged: 1 }, /onMembersChanged must be a function/],
    ["a retention of nothing", { ...good, requestRetention: { maxRequests: 0 } }, /maxRequests must be a positive integer, not 0/],
  ])("refuses %s, saying what is wrong", (_name, definition, message) => {
    expect(() => define(definition)).toThrow(message);
    expect(() => define(definition)).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
  });
});

describe("an initial state", () => {
  it.each([[() => 1], [() => undefined], [() => new Date(0)], [() => ({ f: () => 1 })], [() => new Error("of a class")]])("that cannot be replicated is refused when the applier is made: %s", (initialState) => {
    const machine = defineMachine({ name: "m", version: 1, initialState: initialState as () => object, commands: (command) => ({ add: command(() => 1) }) });
    expect(() => createApplier(machine)).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.stringContaining("initialState()") as string }));
  });

  it.each([[() => new Table([["a", 1]])], [() => new Map([["a", 1]])], [() => [1]]])("may be a collection itself: %s", (initialState: () => object) => {
    const machine = defineMachine({ name: "m", version: 1, initialState, commands: (command) => ({ add: command(() => 1) }) });
    expect(createApplier(machine).state).toEqual(initialState());
  });
});

describe("reject", () => {
  it("makes an error that carries the machine's own code and details", () => {
    const limit = Error.stackTraceLimit;
    const error = reject("held", { by: "x" });
    expect([error.stack?.split("\n").length, Error.stackTraceLimit]).toEqual([1, limit]);
    expect(error).toBeInstanceOf(LockstepError);
    expect(error).toMatchObject({ code: "REJECTED", outcome: "none", message: "The command was rejected: held" });
    expect([rejectionOf(error), rejectionOf(reject("held")), rejectionOf(new Error("x")), rejectionOf(undefined)]).toEqual([{ code: "held", details: { by: "x" } }, { code: "held" }, undefined, undefined]);
  });
});
