/** Elections: who holds the lock of the election's name in EX leads. Campaigning and resigning are asking for it and giving it back. */
import { Type } from "typebox";
import type { LockState } from "../../machine/machine.js";
import { lockView, revision } from "../../machine/views.js";
import { demand, type App } from "../app.js";
import type { Change } from "../changes.js";
import { ServiceError } from "../errors.js";
import { EventStreams, message, type Piece, type StreamSource } from "../event-streams.js";
import { closed, Consistency, errorAnswers, Leader, LockName, pathCodes, readCodes } from "../schemas.js";
import type { Service } from "../service.js";
import type { Static } from "typebox";

const Params = Type.Object({ name: LockName });

export function electionRoutes(app: App, service: Service, streams: EventStreams): void {
  app.get("/v1/elections/:name", {
    schema: {
      operationId: "getLeader", tags: ["elections"], summary: "Who leads", params: Params, querystring: closed({ consistency: Type.Optional(Consistency) }),
      response: { 200: Leader, ...errorAnswers("NO_LEADER", ...readCodes, ...pathCodes) },
    },
  }, async (call) => {
    const { name } = call.params;
    demand(call.principal.may("read", name), call, `read ${name}`);
    const leader = leaderOf(await service.read(call.query.consistency ?? "linearizable"), name);
    if (leader === null) throw new ServiceError("NO_LEADER", `nobody leads ${name}`);
    return leader;
  });

  app.get("/v1/elections/:name/observe", {
    schema: {
      operationId: "observeElection", tags: ["elections"], summary: "The leaders, as a stream of server-sent events",
      description: "First the present one, then each that follows, and changes of its value. `event: leader`, `data`: the leader, or null when nobody leads.",
      params: Params, querystring: closed({ consistency: Type.Optional(Consistency) }),
      response: {
        200: { description: "Leaders in their order.", content: { "text/event-stream": { schema: Type.String() } } },
        ...errorAnswers("LIMIT_REACHED", ...readCodes, ...pathCodes),
      },
    },
  }, async (call, reply) => {
    const { name } = call.params;
    demand(call.principal.may("read", name), call, `read ${name}`);
    await service.read(call.query.consistency ?? "linearizable");
    streams.open(reply, new LeaderSource(name));
    return reply;
  });
}

function leaderOf(state: LockState, name: string): Static<typeof Leader> | null {
  const holder = lockView(state, name)?.holders.find(({ mode }) => mode === "EX");
  if (holder === undefined) return null;
  const { session, owner, request, value, token, since } = holder;
  return { election: name, session, owner, request, value, token, since };
}

class LeaderSource implements StreamSource {
  readonly #name: string;
  /** What was told last. */
  #told: string | undefined;
  revision = 0;

  constructor(name: string) {
    this.#name = name;
  }

  read(state: LockState, change: Change | undefined): Piece {
    this.revision = revision(state);
    if (this.#told !== undefined && change !== undefined && !this.#concerns(change)) return { text: "", next: "wait" };
    const leader = leaderOf(state, this.#name);
    const telling = leader === null ? "" : JSON.stringify([leader.token, leader.value]);
    if (telling === this.#told) return { text: "", next: "wait" };
    this.#told = telling;
    return { text: message("leader", this.revision, leader), next: "wait" };
  }

  #concerns({ events }: Change): boolean {
    return events === "unknown" || events.some((event) => ("locks" in event ? event.locks.includes(this.#name) : "lock" in event && event.lock === this.#name));
  }
}
