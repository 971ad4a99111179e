/** About this replica: for operators, load balancers, and makers of clients. */
import { Type } from "typebox";
import { revision } from "../../machine/views.js";
import type { App } from "../app.js";
import { ServiceError } from "../errors.js";
import { closed, ClusterTime, listOf, nullable, openErrorAnswers, Revision } from "../schemas.js";
import type { Service } from "../service.js";
import { lockServiceVersion } from "../version.js";

const Status = closed({
  version: Type.String(),
  role: Type.Enum(["joining", "changing", "synchronising", "active", "minority", "stopped"], { description: "active: everything works." }),
  reason: nullable(Type.String({ description: "Why it has no quorum." })),
  group: Type.String(),
  slot: Type.Integer({ description: "This replica's; on Corosync, its node's id." }),
  slots: listOf(Type.Integer({ description: "Of all configured replicas." })),
  members: listOf(Type.Integer({ description: "Slots of those in the present view." })),
  active: listOf(Type.Integer({ description: "Slots of those that have the group's log." })),
  positions: closed({ applied: Type.Integer(), committed: Type.Integer(), end: Type.Integer() }, "In the log."),
  revision: Revision,
  now: ClusterTime,
  durable: Type.Boolean(),
  counts: closed({ sessions: Type.Integer(), locks: Type.Integer(), waiting: Type.Integer() }),
});

export function statusRoutes(app: App, service: Service): void {
  app.get("/v1/status", {
    schema: { operationId: "status", tags: ["status"], summary: "What this replica knows of itself, at once", response: { 200: Status, ...openErrorAnswers("UNAUTHENTICATED") } },
  }, async () => {
    const { role, reason, group, slot, slots, members, activeSlots, positions, now } = service.replica.inspect();
    const { applied, committed, end } = positions;
    const { sessions, locks, waiting } = service.state;
    return {
      version: lockServiceVersion, role, reason: reason ?? null, group, slot, slots, members: members.map((member) => member.slot), active: activeSlots,
      positions: { applied, committed, end }, revision: revision(service.state), now: now ?? 0, durable: service.durable, counts: { sessions: sessions.size, locks: locks.size, waiting: waiting.size },
    };
  });

  app.get("/v1/health", {
    config: { open: true },
    schema: {
      operationId: "health", tags: ["status"], summary: "Whether this replica takes commands; needs no token", security: [],
      response: { 200: closed({ status: Type.Literal("ok") }), ...openErrorAnswers("NO_QUORUM", "STOPPING") },
    },
  }, async () => {
    const { role } = service.replica;
    if (role === "active") return { status: "ok" as const };
    if (role === "minority") throw new ServiceError("NO_QUORUM", "this replica is cut off from the majority");
    throw new ServiceError(role === "stopped" ? "STOPPING" : "NOT_READY", `this replica is ${role}`);
  });

  app.get("/v1/openapi.json", {
    config: { open: true },
    schema: { operationId: "openapi", tags: ["status"], summary: "This document; needs no token", security: [], response: { 200: Type.Object({}, { description: "OpenAPI 3.1" }), ...openErrorAnswers() } },
  }, async () => app.swagger());
}
