/** Looking at locks, checking tokens, and taking a lock from its holders. */
import { Type } from "typebox";
import { listLocks, lockView, tokenIsCurrent, type LockView } from "../../machine/views.js";
import { demand, type App } from "../app.js";
import { ServiceError } from "../errors.js";
import {
  bodyCodes, closed, ClusterTime, Consistency, errorAnswers, listOf, ForceReleased, Lock, LockName, LockPrefix, LockSummary, PageAfter, PageLimit, PageNext, pathCodes, readCodes, SessionId,
  submitCodes,
} from "../schemas.js";
import type { Service } from "../service.js";

const Params = Type.Object({ name: LockName });

export function lockRoutes(app: App, service: Service): void {
  app.get("/v1/locks", {
    schema: {
      operationId: "listLocks", tags: ["locks"], summary: "Locks that somebody holds or awaits, or that are delayed, by name",
      querystring: closed({ prefix: Type.Optional(LockPrefix), after: PageAfter, limit: Type.Optional(PageLimit), consistency: Type.Optional(Consistency) }),
      response: { 200: closed({ locks: listOf(LockSummary), next: PageNext }), ...errorAnswers(...readCodes) },
    },
  }, async (call) => {
    const { prefix = "", after, limit = service.limits.pageRows, consistency = "linearizable" } = call.query;
    demand(call.principal.may("read", prefix), call, `read locks that begin with ${JSON.stringify(prefix)}`);
    return listLocks(await service.read(consistency), { prefix, limit, ...(after === undefined ? {} : { after }) });
  });

  app.get("/v1/locks/:name", {
    schema: {
      operationId: "getLock", tags: ["locks"], summary: "A lock: its holders, and who waits, in their order",
      params: Params, querystring: closed({ consistency: Type.Optional(Consistency) }),
      response: { 200: closed({ lock: Lock, now: ClusterTime }, "A lock that nobody uses has no holders and no waiters."), ...errorAnswers(...readCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { name } = call.params;
    demand(call.principal.may("read", name), call, `read ${name}`);
    const view = lockView(await service.read(call.query.consistency ?? "linearizable"), name);
    const unused: LockView = { lock: name, kind: "modes", limit: null, holders: [], waiters: [], valueBlock: null, delayUntil: null };
    return { lock: view ?? unused, now: service.now };
  });

  app.get("/v1/locks/:name/check", {
    schema: {
      operationId: "checkToken", tags: ["locks"], summary: "Whether a token is that of a present grant",
      params: Params, querystring: closed({ token: Type.Integer({ minimum: 0 }) }),
      response: { 200: closed({ current: Type.Literal(true) }), ...errorAnswers("STALE_TOKEN", ...readCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { name } = call.params;
    const { token } = call.query;
    demand(call.principal.may("read", name), call, `read ${name}`);
    if (!tokenIsCurrent(await service.read("linearizable"), name, token)) throw new ServiceError("STALE_TOKEN", `${token} is not the token of a present grant of ${name}`);
    return { current: true as const };
  });

  app.post("/v1/locks/:name/force-release", {
    schema: {
      operationId: "forceRelease", tags: ["locks"], summary: "Take a lock from its holders, or from one of them; recorded as an event",
      description: "Their requests lose all their locks. The holders are not asked: what they still do, only their tokens keep out.",
      params: Params, body: closed({ reason: Type.String({ minLength: 1, maxLength: 512, description: "Why; kept with the event." }), session: Type.Optional(SessionId) }),
      response: { 200: ForceReleased, ...errorAnswers(...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { name } = call.params;
    const { reason, session } = call.body;
    demand(call.principal.may("admin", name), call, `take ${name} from its holders`);
    return service.replica.submit.forceRelease({ lock: name, reason, by: call.principal.name ?? call.ip, ...(session === undefined ? {} : { session }) });
  });
}
