/** Requests for locks: the calls that clients make most. */
import { rejectionOf } from "@lockstep/framework";
import { Type, type Static } from "typebox";
import type { FastifyReply } from "fastify";
import { machineLimits, type RequestState, type Want as MachineWant } from "../../machine/inputs.js";
import type { LockMode } from "../../machine/modes.js";
import { requestState } from "../../machine/views.js";
import { demand, type App } from "../app.js";
import { refusalAnswer, refusalError, ServiceError } from "../errors.js";
import {
  bodyCodes, closed, Consistency, errorAnswers, Granted, Milliseconds, ModeOrName, nullable, Owner, pathCodes, PollMs, readCodes, ReadPollMs, refusalCodes, RequestId,
  sessionCodes, SessionId, submitCodes, Value, ValueBlockData, Waiting, Want,
} from "../schemas.js";
import type { Service } from "../service.js";
import { mayUse } from "../session-use.js";

const Params = Type.Object({ session: SessionId, request: RequestId });

const WaitMs = nullable(Milliseconds(0, "How long to wait in the queue: 0 (default) not at all; null for ever."));

const AcquireBody = closed({
  locks: Type.Array(Want, { minItems: 1, maxItems: machineLimits.wants, description: "Granted all together, or not at all." }),
  waitMs: Type.Optional(WaitMs),
  owner: Type.Optional(Owner),
  value: Type.Optional(Value),
  pollMs: Type.Optional(PollMs),
});

const ConvertBody = closed({
  request: RequestId,
  mode: ModeOrName,
  waitMs: Type.Optional(WaitMs),
  valueBlock: Type.Optional(ValueBlockData),
  pollMs: Type.Optional(PollMs),
});

const Ended = closed({
  status: Type.Enum(["released", "cancelled", "refused"], { description: "released: was granted, and is given back. cancelled: waited, and is out of the queue. refused: had not been granted before." }),
  code: Type.String({ description: "Of the registry: what asking for the request answers from now on." }),
}, "The request has ended.");

const answers = { 200: Granted, 202: Waiting };

export function requestRoutes(app: App, service: Service): void {
  const { replica, calls, limits } = service;

  /** What a request has become, after hanging until it has become something or `until` (performance.now()). */
  const settled = async (state: RequestState, session: string, request: string, until: number, reply: FastifyReply): Promise<RequestState> => {
    if (state.status !== "waiting") return state;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return state;
    return (await calls.outcome(session, request, leftMs, reply.raw)) ?? requestState(service.state, session, request) ?? state;
  };

  app.put("/v1/sessions/:session/requests/:request", {
    schema: {
      operationId: "acquire", tags: ["requests"], summary: "Ask for locks; the same again, at any replica, is the same request",
      params: Params, body: AcquireBody,
      response: { ...answers, ...errorAnswers(...refusalCodes, "NO_SUCH_REQUEST", "REQUEST_MISMATCH", "KIND_MISMATCH", "LIMIT_REACHED", ...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call, reply) => {
    const { session, request } = call.params;
    const { locks, waitMs = 0, owner, value, pollMs = limits.pollMs } = call.body;
    const until = performance.now() + pollMs;
    const wants = wantsOf(locks);
    for (const { lock } of wants) demand(call.principal.may("lock", lock), call, `lock ${lock}`);
    checkValue(value);
    await mayUse(service, call, session);
    const state = await replica.submit.acquire({ session, request, wants, waitMs, ...(owner === undefined ? {} : { owner }), ...(value === undefined ? {} : { value }) });
    return answer(reply, await settled(state, session, request, until, reply));
  });

  app.get("/v1/sessions/:session/requests/:request", {
    schema: {
      operationId: "getRequest", tags: ["requests"], summary: "What has become of a request",
      params: Params, querystring: closed({ pollMs: Type.Optional(ReadPollMs), consistency: Type.Optional(Consistency) }),
      response: { ...answers, ...errorAnswers(...refusalCodes, "NO_SUCH_REQUEST", ...readCodes, ...pathCodes) },
    },
  }, async (call, reply) => {
    const { session, request } = call.params;
    const { pollMs = 0, consistency = "linearizable" } = call.query;
    const until = performance.now() + pollMs;
    await mayUse(service, call, session);
    const state = requestState(await service.read(consistency), session, request);
    if (state === undefined) throw new ServiceError("NO_SUCH_REQUEST", `session ${session} has no request ${request}`);
    return answer(reply, await settled(state, session, request, until, reply));
  });

  app.delete("/v1/sessions/:session/requests/:request", {
    schema: {
      operationId: "release", tags: ["requests"], summary: "Give a grant back, or stop waiting",
      description: "Also of a request that has not come yet: when it comes, it is cancelled.",
      params: Params, body: closed({ valueBlock: Type.Optional(ValueBlockData) }),
      response: { 200: Ended, ...errorAnswers("NOT_WRITABLE", "LIMIT_REACHED", ...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call, reply) => {
    const { session, request } = call.params;
    const { valueBlock } = call.body;
    await mayUse(service, call, session);
    const input = { session, request, ...(valueBlock === undefined ? {} : { valueBlock }) };
    const state = await replica.submit.release(input).catch((error: unknown) => {
      if (rejectionOf(error)?.code !== "NO_SUCH_REQUEST") throw error;
      // Nobody may be granted what was given up already: a request that was slower than this call is cancelled when it comes.
      return replica.submit.cancel({ session, request });
    });
    return ended(reply, state);
  });

  app.post("/v1/sessions/:session/requests/:request/convert", {
    schema: {
      operationId: "convert", tags: ["requests"], summary: "Change the mode of a grant without letting go",
      description: "A conversion is a request of its own. When it is granted, it takes the place of the grant; until then the grant is held as it was.",
      params: Params, body: ConvertBody,
      response: { ...answers, ...errorAnswers(...refusalCodes, "NO_SUCH_REQUEST", "REQUEST_MISMATCH", "NOT_CONVERTIBLE", "NOT_WRITABLE", "LIMIT_REACHED", ...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call, reply) => {
    const { session, request: grant } = call.params;
    const { request, mode, waitMs = 0, valueBlock, pollMs = limits.pollMs } = call.body;
    const until = performance.now() + pollMs;
    await mayUse(service, call, session);
    const state = await replica.submit.convert({ session, request, grant, mode: modeOf(mode), waitMs, ...(valueBlock === undefined ? {} : { valueBlock }) });
    return answer(reply, await settled(state, session, request, until, reply));
  });

  app.post("/v1/sessions/:session/requests/:request/value", {
    schema: {
      operationId: "proclaim", tags: ["requests"], summary: "Change the value that is shown with a holder",
      params: Params, body: closed({ value: Value }),
      response: { ...answers, ...errorAnswers(...refusalCodes, "NO_SUCH_REQUEST", ...sessionCodes, ...submitCodes, ...bodyCodes, ...pathCodes) },
    },
  }, async (call, reply) => {
    const { session, request } = call.params;
    const { value } = call.body;
    checkValue(value);
    await mayUse(service, call, session);
    return answer(reply, await replica.submit.proclaim({ session, request, value }));
  });
}

function answer(reply: FastifyReply, state: RequestState): FastifyReply {
  if (state.status === "granted") return reply.code(200).send(state);
  if (state.status === "waiting") return reply.code(202).send(state);
  const { status, body } = refusalAnswer(state.refusal);
  return reply.code(status).send(body);
}

function ended(reply: FastifyReply, state: RequestState): FastifyReply {
  if (state.status !== "refused") throw new ServiceError("INTERNAL", `a request that was ended is ${state.status}`);
  const { code } = state.refusal;
  if (code === "SESSION_OVER") throw refusalError(state.refusal);
  return reply.code(200).send({ status: code === "RELEASED" ? "released" : code === "CANCELLED" ? "cancelled" : "refused", code });
}

function wantsOf(locks: readonly Static<typeof Want>[]): readonly MachineWant[] {
  if (new Set(locks.map(({ lock }) => lock)).size < locks.length) throw new ServiceError("INVALID_REQUEST", "body.locks names a lock twice");
  return locks.map(wantOf);
}

function wantOf({ lock, mode, permits, limit }: Static<typeof Want>): MachineWant {
  if (limit === undefined) {
    if (permits !== undefined) throw new ServiceError("INVALID_REQUEST", `body.locks: permits of ${lock} need the semaphore's limit`);
    return { lock, mode: modeOf(mode ?? "EX") };
  }
  if (mode !== undefined) throw new ServiceError("INVALID_REQUEST", `body.locks: ${lock} is asked for in a mode and as a semaphore; give mode, or limit and permits`);
  if ((permits ?? 1) > limit) throw new ServiceError("INVALID_REQUEST", `body.locks: ${permits} permits of ${lock} are more than its limit, ${limit}`);
  return { lock, permits: permits ?? 1, limit };
}

function modeOf(mode: LockMode | "shared" | "exclusive"): LockMode {
  return mode === "shared" ? "PR" : mode === "exclusive" ? "EX" : mode;
}

function checkValue(value: string | undefined): void {
  if (value !== undefined && Buffer.byteLength(value) > machineLimits.valueBytes) throw new ServiceError("INVALID_REQUEST", `body.value is longer than ${machineLimits.valueBytes} bytes`);
}
