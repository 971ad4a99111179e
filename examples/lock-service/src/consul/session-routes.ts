/** /v1/session: Consul's sessions, which are the service's own. Its checks are kept and shown; it is the TTL alone that ends a session. */
import type { FastifyReply } from "fastify";
import { sessionsIndex } from "../machine/keys-views.js";
import type { LockState } from "../machine/machine.js";
import type { SessionRow } from "../machine/state.js";
import { sessionView } from "../machine/views.js";
import type { ConsulCall } from "./call.js";
import { ConsulError, permissionDenied } from "./consul-error.js";
import { formatDuration, nanosecondsPerMs } from "./durations.js";
import type { Json } from "./json.js";
import { ownNode } from "./nodes.js";
import { read, type Contact } from "./reads.js";
import { sessionInput } from "./session-input.js";

/** Shown of sessions that were not opened here. */
const nodeOfOthers = "lockstep";

export async function createSession(call: ConsulCall): Promise<FastifyReply> {
  const { service, principal } = call;
  const input = sessionInput(call.body.toString(), { node: ownNode(service).name, principal: principal.name, leastTtlMs: service.limits.consulLeastTtlMs });
  if (!principal.mayAnywhere("lock")) throw permissionDenied();
  const { session } = await service.replica.submit.openKeySession(input);
  return call.json({ ID: session });
}

/** True also of one that has ended, or never was. */
export async function destroySession(call: ConsulCall): Promise<FastifyReply> {
  const session = sessionOf(call, "/v1/session/destroy/");
  await demandSession(call, session);
  await call.service.replica.submit.closeSession({ session, delayed: true });
  return call.json(true);
}

export async function renewSession(call: ConsulCall): Promise<FastifyReply> {
  const session = sessionOf(call, "/v1/session/renew/");
  await demandSession(call, session);
  const alive = await call.service.renew(session);
  const [shown] = alive ? sessionsOf(call, call.service.state, session) : [];
  return shown === undefined ? call.notFound(`Session id '${session}' not found`) : call.json([shown]);
}

export async function sessionInfo(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  const session = sessionOf(call, "/v1/session/info/");
  const sessions = await read(call, contact, {
    part: (state) => state.sessions.get(session),
    read: (state) => ({ index: sessionsIndex(state), found: true, content: sessionsOf(call, state, session) }),
  });
  return call.json(sessions);
}

export function listSessions(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  return listed(call, contact, () => true);
}

export function sessionsOfNode(call: ConsulCall, contact: Contact): Promise<FastifyReply> {
  const node = call.rest("/v1/session/node/");
  if (node === "") throw new ConsulError(400, "Missing node name");
  return listed(call, contact, (of) => of === node);
}

async function listed(call: ConsulCall, contact: Contact, wanted: (node: string) => boolean): Promise<FastifyReply> {
  const sessions = await read(call, contact, {
    part: sessionsIndex,
    read: (state) => {
      const content = Array.from(state.sessions.keys()).filter((id) => wanted(state.keys.sessions.get(id)?.node ?? nodeOfOthers)).flatMap((id) => sessionsOf(call, state, id));
      return { index: sessionsIndex(state), found: true, content };
    },
  });
  return call.json(sessions);
}

function sessionOf(call: ConsulCall, prefix: string): string {
  const session = call.rest(prefix);
  if (session === "") throw new ConsulError(400, "Missing session");
  return session;
}

/**
 * Whether the caller may use a session, if there is one: what becomes of it otherwise, the machine tells.
 * @throws ConsulError
 */
export async function demandSession({ service, principal }: ConsulCall, session: string): Promise<void> {
  if (principal.name === null) return;
  const view = sessionView(service.state, session) ?? sessionView(await service.read("linearizable"), session);
  if (view !== undefined && !principal.mayUseSessionOf(view.principal)) throw permissionDenied();
}

/** None if there is no such session, or it is not the caller's to see. */
function sessionsOf({ principal }: ConsulCall, state: LockState, id: string): readonly Json[] {
  const row = state.sessions.get(id);
  if (row === undefined || sessionView(state, id) === undefined || !principal.mayUseSessionOf(row.principal)) return [];
  return [sessionJson(state, id, row)];
}

function sessionJson({ keys }: LockState, id: string, { number, name, behavior, ttlMs, lockDelayMs }: SessionRow): Json {
  const shown = keys.sessions.get(id) ?? {
    node: nodeOfOthers, nodeChecks: [], serviceChecks: [], ttl: ttlMs === null ? "" : formatDuration(ttlMs), lockDelay: String(BigInt(lockDelayMs) * nanosecondsPerMs),
  };
  const { node, nodeChecks, serviceChecks, ttl, lockDelay } = shown;
  // Older clients look for Checks, newer ones for NodeChecks.
  return {
    ID: id, Name: name, Node: node, LockDelay: BigInt(lockDelay), Behavior: behavior, TTL: ttl, NodeChecks: nodeChecks,
    ServiceChecks: serviceChecks.length === 0 ? null : serviceChecks.map((check) => ({ ID: check.id, Namespace: check.namespace })),
    Checks: nodeChecks, CreateIndex: 1 + number, ModifyIndex: 1 + number,
  };
}
