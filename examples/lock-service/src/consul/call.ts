/** One call of Consul's interface: its query, who makes it, and how it wants to read. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { bearerToken, Principal } from "../server/access.js";
import type { ReadConsistency, Service } from "../server/service.js";
import { ConsulError, permissionDenied } from "./consul-error.js";
import { DurationError, parseDuration, wholeMs } from "./durations.js";
import { unsigned64, writeJson, type Json } from "./json.js";

/** There is one, and this is what Consul calls it unless told otherwise. */
export const datacenter = "dc1";

/** May do nothing. */
const nobody = new Principal(null, []);

const defaultWaitMs = 300_000;
const mostWaitMs = 600_000;

export class ConsulCall {
  readonly service: Service;
  readonly principal: Principal;
  readonly body: Buffer;
  readonly reply: FastifyReply;
  readonly query: URLSearchParams;
  readonly #path: string;

  /**
   * @param open whoever calls: no token is needed, or looked at.
   * @throws ConsulError if the token is not known, or the data center not here.
   */
  constructor(service: Service, request: FastifyRequest, reply: FastifyReply, open: boolean) {
    const [path = "", ...query] = request.url.split("?");
    this.#path = path;
    this.query = new URLSearchParams(query.join("?"));
    this.service = service;
    this.reply = reply;
    this.body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const dc = this.query.get("dc") ?? "";
    if (dc !== "" && dc !== datacenter) throw new ConsulError(500, "No path to datacenter");
    this.principal = open ? nobody : this.#authenticate(request);
  }

  #authenticate({ headers }: FastifyRequest): Principal {
    const header = headers["x-consul-token"];
    const token = [this.query.get("token"), header, bearerToken(headers.authorization)].find((each) => typeof each === "string" && each !== "");
    const principal = this.service.access.authenticate(typeof token === "string" ? token : undefined);
    if (principal === undefined) throw token === undefined ? permissionDenied() : new ConsulError(403, "ACL not found");
    return principal;
  }

  /** What follows a prefix of the path, decoded. */
  rest(prefix: string): string {
    try {
      return decodeURIComponent(this.#path.slice(prefix.length));
    } catch {
      throw new ConsulError(400, "the path is not UTF-8, percent-encoded");
    }
  }

  has(parameter: string): boolean {
    return this.query.has(parameter);
  }

  /** Undefined if it is not there. @throws ConsulError in Go's words. */
  unsigned(parameter: string): string | undefined {
    const text = this.query.get(parameter);
    if (text === null) return undefined;
    const number = unsigned64(text);
    if (number === undefined) throw new ConsulError(500, `strconv.ParseUint: parsing ${JSON.stringify(text)}: ${/^\d+$/.test(text) ? "value out of range" : "invalid syntax"}`);
    return number;
  }

  /** How it wants to read. Without a wish, as "consistent": where Consul's servers may be wrong for a moment, these are not. */
  get reading(): Reading {
    if (this.has("stale") && this.has("consistent")) throw new ConsulError(400, "Cannot specify ?stale with ?consistent, conflicting semantics.");
    const consistency = this.has("stale") ? "stale" : "linearizable";
    return { consistency, waitMs: this.#waitMs(), after: this.#after() };
  }

  #waitMs(): number {
    const text = this.query.get("wait") ?? "";
    try {
      const asked = text === "" ? 0 : wholeMs(parseDuration(text));
      return Math.min(asked === 0 ? defaultWaitMs : asked, mostWaitMs);
    } catch (error) {
      if (error instanceof DurationError) throw new ConsulError(400, "Invalid wait time");
      throw error;
    }
  }

  #after(): bigint {
    const text = this.query.get("index") ?? "";
    const index = text === "" ? "0" : unsigned64(text);
    if (index === undefined) throw new ConsulError(400, "Invalid index");
    return BigInt(index);
  }

  // Answers.

  json(value: Json, status = 200): FastifyReply {
    return this.reply.code(status).type("application/json").send(Buffer.from(writeJson(value, this.has("pretty"))));
  }

  notFound(text?: string): FastifyReply {
    return text === undefined ? this.reply.code(404).send() : this.reply.code(404).type("text/plain; charset=utf-8").send(text);
  }
}

export interface Reading {
  readonly consistency: ReadConsistency;
  /** How long the call may hang, … */
  readonly waitMs: number;
  /** … until there is something newer than this index; 0: not at all. */
  readonly after: bigint;
}
