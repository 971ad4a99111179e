/** Whether a caller may use a session: those who opened it, and administrators of everything. */
import type { FastifyRequest } from "fastify";
import type { LockState } from "../machine/machine.js";
import { sessionView } from "../machine/views.js";
import { refusalError, ServiceError } from "./errors.js";
import type { Service } from "./service.js";

type Caller = Pick<FastifyRequest, "principal">;

/**
 * Nothing to wait for without authentication, and once this replica has the session.
 * @throws ServiceError FORBIDDEN; SESSION_OVER if there is no such session.
 */
export async function mayUse(service: Service, caller: Caller, session: string): Promise<void> {
  if (caller.principal.name === null) return;
  const here = sessionView(service.state, session);
  if (here !== undefined) return demandUse(caller, here);
  const state = await service.read("linearizable");
  const view = sessionView(state, session);
  if (view === undefined) throw sessionOver(state, session);
  demandUse(caller, view);
}

/** @throws ServiceError FORBIDDEN */
export function demandUse({ principal }: Caller, { session, principal: owner }: { readonly session: string; readonly principal: string | null }): void {
  if (!principal.mayUseSessionOf(owner)) throw new ServiceError("FORBIDDEN", `session ${session} was opened with another token`);
}

export function sessionOver(state: LockState, session: string): ServiceError {
  return refusalError({ code: "SESSION_OVER", session, reason: state.ended.get(session) ?? null });
}
