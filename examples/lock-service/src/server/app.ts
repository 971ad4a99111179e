/** The HTTP application of one server: what all routes have in common, and the list of them. */
import { STATUS_CODES, type Server } from "node:http";
import swagger from "@fastify/swagger";
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyReply, type FastifyRequest, type FastifySchemaValidationError, type RawReplyDefaultExpression, type RawRequestDefaultExpression } from "fastify";
import type { FastifyInstance } from "fastify";
import { consulRoutes } from "../consul/routes.js";
import { bearerToken, everyone, type Principal } from "./access.js";
import { retryAfterSeconds, ServiceError, serviceErrorOf, type ServiceErrorCode } from "./errors.js";
import { EventStreams } from "./event-streams.js";
import type { Listener } from "./listener.js";
import { openApiOptions } from "./openapi.js";
import { electionRoutes } from "./routes/elections.js";
import { eventRoutes } from "./routes/events.js";
import { graphRoutes } from "./routes/graph.js";
import { lockRoutes } from "./routes/locks.js";
import { requestRoutes } from "./routes/requests.js";
import { sessionRoutes } from "./routes/sessions.js";
import { statusRoutes } from "./routes/status.js";
import type { Service } from "./service.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Who calls. */
    principal: Principal;
  }
  interface FastifyContextConfig {
    /** Answers whoever asks: tells nothing of locks. */
    open?: boolean;
  }
}

export type App = FastifyInstance<Server, RawRequestDefaultExpression, RawReplyDefaultExpression, FastifyBaseLogger, TypeBoxTypeProvider>;

/** Serves on the listener when it resolves. */
export async function startApp(service: Service, listener: Listener): Promise<App> {
  const app = Fastify({
    serverFactory: (handler) => {
      listener.serve(handler);
      return listener.server;
    },
    exposeHeadRoutes: false,
    bodyLimit: service.limits.bodyBytes,
    routerOptions: { maxParamLength: service.limits.pathPartLength },
    // The listener's own answers are given already.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, _request, reply) => void sendError(error, reply as unknown as FastifyReply),
  }).withTypeProvider<TypeBoxTypeProvider>() as App;
  app.setErrorHandler((error, _request, reply) => sendError(error, reply));
  app.setNotFoundHandler((request, reply) => sendError(new ServiceError("NO_SUCH_ROUTE", `there is no ${request.method} ${request.url}`), reply));
  app.decorateRequest("principal", null as unknown as Principal);
  await app.register(swagger, openApiOptions);
  await app.register((native: App, _options, done) => {
    nativeRoutes(native, service);
    done();
  });
  await app.register((consul: App, _options, done) => {
    consulRoutes(consul, service);
    done();
  });
  await app.ready();
  return app;
}

/** Everything of this service's own interface; Consul's has its own manners. */
function nativeRoutes(app: App, service: Service): void {
  // What is in a path is text; only queries are converted.
  app.setValidatorCompiler((route) => TypeBoxValidatorCompiler(route.httpPart === "params" ? { ...route, httpPart: "body" } : route));
  // Whole, so that what is sent and not documented is seen; on answers of this size V8's is as fast as one that is made of the schema.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_request, body, done) => parseJson(body as string, done));
  app.addHook("onRequest", (request, _reply, done) => {
    const principal = request.routeOptions.config.open === true ? everyone : service.access.authenticate(bearerToken(request.headers.authorization));
    if (principal === undefined) return done(new ServiceError("UNAUTHENTICATED", "this service needs a token that it knows: Authorization: Bearer TOKEN"));
    request.principal = principal;
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    // A body in which everything may be left out may be left out.
    if (request.body === undefined && request.routeOptions.schema?.body !== undefined) request.body = {};
    done();
  });
  const streams = new EventStreams(service);
  for (const register of [sessionRoutes, requestRoutes, lockRoutes, electionRoutes, eventRoutes, graphRoutes, statusRoutes]) register(app, service, streams);
}

/** No prototypes can be meddled with: every body's schema is closed. */
function parseJson(body: string, done: (error: Error | null, value?: unknown) => void): void {
  if (body === "") return done(null, undefined);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return done(new ServiceError("INVALID_REQUEST", `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`));
  }
  done(null, value);
}

export function sendError(error: unknown, reply: FastifyReply): FastifyReply {
  const known = isFastifyError(error) ? ofFastify(error) : serviceErrorOf(error);
  const { status, body } = known;
  if (status === 503) void reply.header("retry-after", String(retryAfterSeconds));
  if (status === 401) void reply.header("www-authenticate", "Bearer");
  return reply.code(status).type("application/json; charset=utf-8").send(body);
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && "code" in error && typeof error.code === "string" && (error.code.startsWith("FST_") || "validation" in error);
}

function ofFastify(error: FastifyError): ServiceError {
  if (error.validation !== undefined) return new ServiceError("INVALID_REQUEST", explain(error.validationContext ?? "request", error.validation));
  const code = byStatus[error.statusCode ?? 500];
  return code === undefined ? new ServiceError("INTERNAL", `${STATUS_CODES[500]}: ${error.message}`) : new ServiceError(code, error.message);
}

const byStatus: Readonly<Record<number, ServiceErrorCode>> = {
  400: "INVALID_REQUEST", 404: "NO_SUCH_ROUTE", 413: "BODY_TOO_LARGE", 414: "URL_TOO_LONG", 415: "UNSUPPORTED_MEDIA_TYPE",
};

/** What is wrong first, and where. */
function explain(context: string, issues: readonly FastifySchemaValidationError[]): string {
  const issue = issues.find(({ keyword }) => keyword !== "boolean");
  if (issue === undefined) return `${context} is not as documented`;
  const { additionalProperties, allowedValues } = issue.params as { readonly additionalProperties?: readonly string[]; readonly allowedValues?: readonly unknown[] };
  const where = `${context}${issue.instancePath.replaceAll("/", ".")}`;
  if (additionalProperties !== undefined) return `${where} has ${additionalProperties.map((name) => JSON.stringify(name)).join(", ")}, which it does not take`;
  return `${where} ${issue.message ?? "is wrong"}${allowedValues === undefined ? "" : `: ${allowedValues.join(", ")}`}`;
}

/** Checked before what is asked for is looked at. @throws ServiceError FORBIDDEN */
export function demand(allowed: boolean, request: FastifyRequest, what: string): void {
  if (!allowed) throw new ServiceError("FORBIDDEN", `${request.principal.name ?? "this caller"} may not ${what}`);
}
