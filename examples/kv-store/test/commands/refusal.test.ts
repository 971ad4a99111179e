import { errorRegistry, LockstepError, type ErrorCode } from "@lockstep/framework";
import { describe, expect, it } from "vitest";
import { CommandError, errorReply } from "../../src/commands/command-error.js";
import type { CommandKind } from "../../src/commands/spec.js";
import { refusal } from "../../src/server/refusal.js";
import type { ReadConsistency, Service } from "../../src/server/service.js";
import type { ServingRole } from "../../src/server/standing.js";

function refused(role: ServingRole, kind: CommandKind, reads: ReadConsistency): string | undefined {
  const replica = { inspect: () => ({ reason: "1 of 3 slots" }) } as unknown as Service["replica"];
  return refusal({ replica, standing: { role } as Service["standing"], reads }, kind)?.split(" ", 1)[0];
}

describe("a replica", () => {
  it.each<[ServingRole, CommandKind, ReadConsistency, string | undefined]>([
    ["active", "write", "linearizable", undefined],
    ["changing", "write", "linearizable", undefined],
    ["joining", "write", "linearizable", "LOADING"],
    ["joining", "read", "sequential", "LOADING"],
    ["synchronising", "read", "linearizable", "LOADING"],
    ["synchronising", "local", "linearizable", undefined],
    ["minority", "write", "linearizable", "CLUSTERDOWN"],
    ["minority", "read", "linearizable", "CLUSTERDOWN"],
    ["minority", "write", "sequential", "CLUSTERDOWN"],
    ["minority", "read", "sequential", undefined],
    ["minority", "local", "linearizable", undefined],
    ["lost", "write", "linearizable", "CLUSTERDOWN"],
    ["lost", "read", "linearizable", "CLUSTERDOWN"],
    ["lost", "write", "sequential", "CLUSTERDOWN"],
    ["lost", "read", "sequential", undefined],
    ["lost", "local", "linearizable", undefined],
    ["stopped", "read", "sequential", "CLUSTERDOWN"],
    ["stopped", "local", "sequential", undefined],
  ])("that is %s answers a %s with %s reads: %s", (role, kind, reads, code) => {
    expect(refused(role, kind, reads)).toBe(code);
  });
});

describe("an error of the framework", () => {
  it.each<[ErrorCode, string]>([
    ["UNKNOWN_OUTCOME", "INDETERMINATE the outcome of the command is unknown: m"],
    ["NOT_PRIMARY", "CLUSTERDOWN m"],
    ["STALE_READ", "CLUSTERDOWN m"],
    ["STOPPED", "CLUSTERDOWN this replica has stopped, the command was not run: m"],
    ["NOT_READY", "LOADING m"],
    ["QUEUE_FULL", "BUSY too many writes are waiting, this one was not run; try again later: m"],
    ["TIMED_OUT", "TRYAGAIN the command was not run in time: m"],
    ["COMMAND_TOO_LARGE", "ERR the command is too large: m"],
    ["INVALID_INPUT", "ERR INVALID_INPUT m"],
  ])("%s becomes %j", (code, reply) => {
    expect(errorReply(new LockstepError(code, "m"))).toBe(reply);
  });

  it("is INDETERMINATE if and only if nobody can tell whether the command took effect", () => {
    for (const [code, { outcome }] of Object.entries(errorRegistry)) {
      const reply = errorReply(new LockstepError(code as ErrorCode, "m"));
      expect([code, reply.startsWith("INDETERMINATE")]).toEqual([code, outcome === "unknown"]);
    }
  });

  it("is not needed for an error reply", () => {
    expect(errorReply(new CommandError("ERR syntax error"))).toBe("ERR syntax error");
    expect(errorReply(new Error("boom"))).toBe("ERR internal error: boom");
  });
});
