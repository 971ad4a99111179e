/**
 * Consul's interface: sessions, keys and transactions, enough for locks, leader elections and semaphores by clients written for Consul.
 * Bodies, headers, status codes and error texts are Consul's; it is a part of the server with its own manners.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { keyLimits } from "../machine/keys.js";
import type { App } from "../server/app.js";
import type { Service } from "../server/service.js";
import { agentSelf, catalogNodes, statusLeader, statusPeers } from "./agent-routes.js";
import { ConsulCall } from "./call.js";
import { ConsulError, consulErrorOf } from "./consul-error.js";
import { deleteKey, getKey, keysPath, putKey } from "./key-routes.js";
import { Contact } from "./reads.js";
import { createSession, destroySession, listSessions, renewSession, sessionInfo, sessionsOfNode } from "./session-routes.js";
import { runTransaction } from "./transaction-routes.js";

type Handle = (call: ConsulCall, contact: Contact) => Promise<FastifyReply>;
type Handles = Readonly<Partial<Record<"GET" | "PUT" | "DELETE", Handle>>>;

const methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] as const;

const transactionPath = "/v1/txn";

/** By path; each has the methods that it names, and no others. */
const routes: Readonly<Record<string, Handles>> = {
  "/v1/session/create": { PUT: createSession },
  "/v1/session/destroy/*": { PUT: destroySession },
  "/v1/session/renew/*": { PUT: renewSession },
  "/v1/session/info/*": { GET: sessionInfo },
  "/v1/session/list": { GET: listSessions },
  "/v1/session/node/*": { GET: sessionsOfNode },
  [`${keysPath}*`]: { GET: getKey, PUT: putKey, DELETE: deleteKey },
  [transactionPath]: { PUT: runTransaction },
  "/v1/agent/self": { GET: agentSelf },
  "/v1/status/leader": { GET: statusLeader },
  "/v1/status/peers": { GET: statusPeers },
  "/v1/catalog/nodes": { GET: catalogNodes },
};

/** Ask for no token: they tell nothing that a connection does not. */
const openPaths: ReadonlySet<string> = new Set(["/v1/status/leader", "/v1/status/peers"]);

export function consulRoutes(app: App, service: Service): void {
  const contact = new Contact(service);
  app.addHook("onClose", (_app, done) => {
    contact.close();
    done();
  });
  // Whatever it is said to be: values are bytes, and clients send JSON as anything.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => sendError(explain(error, request), reply));
  for (const [url, handles] of Object.entries(routes)) {
    app.route({
      url, method: [...methods], exposeHeadRoute: false, schema: { hide: true },
      bodyLimit: url.startsWith(keysPath) || url === transactionPath ? keyLimits.valueBytes : service.limits.bodyBytes,
      handler: (request, reply) => handle(handles, service, contact, request, reply),
    });
  }
}

async function handle(handles: Handles, service: Service, contact: Contact, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { method } = request;
  const allowed = Object.keys(handles);
  if (method === "OPTIONS") return reply.code(200).header("allow", ["OPTIONS", ...allowed].join(",")).send();
  const found = Object.hasOwn(handles, method) ? handles[method as keyof Handles] : undefined;
  if (found === undefined) throw new ConsulError(405, `method ${method} not allowed`, allowed);
  return found(new ConsulCall(service, request, reply, openPaths.has(request.routeOptions.url ?? "")), contact);
}

function sendError(error: unknown, reply: FastifyReply): FastifyReply {
  const { status, message, allow } = consulErrorOf(error);
  if (allow !== undefined) void reply.header("allow", allow.join(","));
  return reply.code(status).type("text/plain; charset=utf-8").send(message);
}

/** What Fastify refuses before there is a call. */
function explain(error: unknown, request: FastifyRequest): unknown {
  if (!(error instanceof Error) || !("code" in error) || !("statusCode" in error) || typeof error.statusCode !== "number") return error;
  if (error.code !== "FST_ERR_CTP_BODY_TOO_LARGE") return typeof error.code === "string" && error.code.startsWith("FST_") ? new ConsulError(error.statusCode, error.message) : error;
  const length = request.headers["content-length"];
  const most = request.routeOptions.bodyLimit;
  if (request.url.startsWith(keysPath) && length !== undefined) return new ConsulError(413, `Request body(${length} bytes) too large, max size: ${most} bytes.`);
  return new ConsulError(413, `Request body too large, max size: ${most} bytes`);
}
