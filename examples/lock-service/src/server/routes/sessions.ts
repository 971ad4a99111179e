/** Sessions: whatever a client holds belongs to one, and ends with it. */
import { createHash } from "node:crypto";
import { rejectionOf } from "@lockstep/framework";
import { Type } from "typebox";
import { listRequests, listSessions, sessionView } from "../../machine/views.js";
import type { Principal } from "../access.js";
import { demand, type App } from "../app.js";
import { ServiceError } from "../errors.js";
import { bodyCodes, closed, Consistency, errorAnswers, listOf, Milliseconds, nullable, NullableTime, openErrorAnswers, PageAfter, PageLimit, PageNext, pathCodes, readCodes, Revision, Session, sessionCodes, SessionId, SessionRequest, submitCodes } from "../schemas.js";
import type { Service } from "../service.js";
import { demandUse, mayUse, sessionOver } from "../session-use.js";

const defaultTtlMs = 15_000;
const leastTtlMs = 1000;
const mostTtlMs = 86_400_000;
const mostLockDelayMs = 3_600_000;

const OpenBody = closed({
  name: Type.Optional(Type.String({ maxLength: 256, description: "For people." })),
  ttlMs: Type.Optional(Type.Integer({ minimum: leastTtlMs, maximum: mostTtlMs, default: defaultTtlMs, description: "Time without a renewal after which it expires." })),
  lockDelayMs: Type.Optional(Type.Integer({ minimum: 0, maximum: mostLockDelayMs, default: 0, description: "After an end that was not its own doing, nobody gets what it held for so long." })),
  bound: Type.Optional(Type.Boolean({ default: false, description: "Ends also with the replica process that takes this call." })),
  requestId: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "Makes a retry, through any replica, return the first session." })),
});

const Opened = closed({
  session: SessionId,
  ttlMs: nullable(Milliseconds(0, "null: it does not expire.")),
  deadline: NullableTime("When it expires if nothing comes."),
  revision: Revision,
});

const Params = Type.Object({ session: SessionId });

export function sessionRoutes(app: App, service: Service): void {
  const { replica } = service;

  app.post("/v1/sessions", {
    schema: {
      operationId: "openSession", tags: ["sessions"], summary: "Open a session", body: OpenBody,
      response: { 201: Opened, ...errorAnswers("LIMIT_REACHED", ...submitCodes, ...bodyCodes) },
    },
  }, async (call, reply) => {
    const { name = "", ttlMs = defaultTtlMs, lockDelayMs = 0, bound = false, requestId } = call.body;
    demand(call.principal.mayAnywhere("lock"), call, "lock anything");
    const input = { name, ttlMs, lockDelayMs, bound, principal: call.principal.name, behavior: "release" as const };
    const opened = await replica.submit.openSession(input, requestId === undefined ? {} : { requestId: ownRequestId(call.principal, requestId) }).catch((error: unknown) => {
      // Bound to a replica that the group had given up by then.
      throw rejectionOf(error)?.code === "SESSION_OVER" ? new ServiceError("NOT_READY", "this replica had left its group; no session was opened") : error;
    });
    return reply.code(201).send({ ...opened, ttlMs });
  });

  app.get("/v1/sessions", {
    schema: {
      operationId: "listSessions", tags: ["sessions"], summary: "Own sessions; to administrators, all",
      querystring: closed({ after: PageAfter, limit: Type.Optional(PageLimit), consistency: Type.Optional(Consistency) }),
      response: { 200: closed({ sessions: listOf(Session), next: PageNext }), ...openErrorAnswers("INVALID_REQUEST", "UNAUTHENTICATED", ...readCodes) },
    },
  }, async (call) => {
    const { after, limit = service.limits.pageRows, consistency = "linearizable" } = call.query;
    const { sessions, next } = listSessions(await service.read(consistency), { limit, ...(after === undefined ? {} : { after }) });
    return { sessions: sessions.filter(({ principal }) => call.principal.mayUseSessionOf(principal)), next };
  });

  app.get("/v1/sessions/:session", {
    schema: {
      operationId: "getSession", tags: ["sessions"], summary: "A session", params: Params, querystring: closed({ consistency: Type.Optional(Consistency) }),
      response: { 200: Session, ...errorAnswers("SESSION_OVER", ...readCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { session } = call.params;
    const state = await service.read(call.query.consistency ?? "linearizable");
    const view = sessionView(state, session);
    if (view === undefined) throw sessionOver(state, session);
    demandUse(call, view);
    return view;
  });

  app.get("/v1/sessions/:session/requests", {
    schema: {
      operationId: "listRequests", tags: ["sessions"], summary: "What a session holds and waits for", params: Params,
      querystring: closed({ after: PageAfter, limit: Type.Optional(PageLimit), consistency: Type.Optional(Consistency) }),
      response: { 200: closed({ requests: listOf(SessionRequest), next: PageNext }), ...errorAnswers("SESSION_OVER", ...readCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { session } = call.params;
    const { after, limit = service.limits.pageRows, consistency = "linearizable" } = call.query;
    const state = await service.read(consistency);
    const view = sessionView(state, session);
    if (view === undefined) throw sessionOver(state, session);
    demandUse(call, view);
    return listRequests(state, session, { limit, ...(after === undefined ? {} : { after }) });
  });

  app.post("/v1/sessions/:session/renew", {
    schema: {
      operationId: "renewSession", tags: ["sessions"], summary: "Give a session its whole TTL again, from the moment the command is applied", params: Params,
      response: { 200: closed({ session: SessionId, ttlMs: nullable(Milliseconds(0, "null: it does not expire.")) }), ...errorAnswers(...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { session } = call.params;
    await mayUse(service, call, session);
    const alive = await service.renew(session);
    const view = sessionView(service.state, session);
    if (!alive || view === undefined) throw sessionOver(service.state, session);
    return { session, ttlMs: view.ttlMs };
  });

  app.delete("/v1/sessions/:session", {
    schema: {
      operationId: "closeSession", tags: ["sessions"], summary: "End a session: all that it holds is released, in the order in which it was granted", params: Params,
      response: { 200: closed({ session: SessionId, revision: Revision }), ...errorAnswers(...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { session } = call.params;
    await mayUse(service, call, session);
    const { closed, revision } = await replica.submit.closeSession({ session });
    if (!closed) throw sessionOver(service.state, session);
    return { session, revision };
  });
}

/** Of its principal alone: nobody learns another's session by guessing. As long as the framework takes, whatever it is made of. */
function ownRequestId({ name }: Principal, requestId: string): string {
  return `session:${createHash("sha256").update(JSON.stringify([name, requestId])).digest("base64url")}`;
}
