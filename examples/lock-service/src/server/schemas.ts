/** What is said over HTTP, as schemas: they check what comes in, write what goes out, and are the OpenAPI document. */
import { Type, type Static, type TObject, type TProperties, type TSchema } from "typebox";
import { machineLimits } from "../machine/inputs.js";
import { lockModes } from "../machine/modes.js";
import { serviceErrors, type ServiceErrorCode } from "./errors.js";

/** Nothing else than what is documented: what is misspelt must not be taken for missing. */
export function closed<P extends TProperties>(properties: P, description?: string): TObject<P> {
  return Type.Object(properties, description === undefined ? { additionalProperties: false } : { additionalProperties: false, description });
}

export function nullable<T extends TSchema>(schema: T): ReturnType<typeof Type.Unsafe<Static<T> | null>> {
  const { type } = schema as unknown as { readonly type: string };
  return Type.Unsafe<Static<T> | null>({ ...(schema as object), type: [type, "null"] });
}

/** In answers: what is shown is immutable. */
export function listOf<T extends TSchema>(items: T): ReturnType<typeof Type.Unsafe<readonly Static<T>[]>> {
  return Type.Unsafe<readonly Static<T>[]>({ type: "array", items });
}

/** No control characters, no halves of characters: what is shown is what is meant. */
const text = (maxLength: number, description: string) => Type.String({ pattern: String.raw`^[^\p{Cc}\p{Cs}]*$`, minLength: 1, maxLength, description });

export const lockNameLength = 256;
export const LockName = text(lockNameLength, "Name of a lock. In a path: percent-encoded, slashes too.");
export const SessionId = Type.String({ minLength: 1, maxLength: 64, description: "As POST /v1/sessions gave it." });
export const RequestId = text(128, "Chosen by the client, unique in its session. The same one again is the same request.");
export const Milliseconds = (minimum: number, description: string) => Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description });
export const Mode = Type.Enum([...lockModes], { description: "NL null, CR concurrent read, CW concurrent write, PR protected read (shared), PW protected write, EX exclusive." });
export const ModeOrName = Type.Enum([...lockModes, "shared", "exclusive"], { description: "A mode of the lock manager; shared is PR, exclusive is EX." });
export const Value = Type.String({ maxLength: machineLimits.valueBytes, description: `Shown with the holder; at most ${machineLimits.valueBytes} bytes.` });
export const ValueBlockData = Type.String({
  maxLength: Math.ceil(machineLimits.valueBlockBytes / 3) * 4, pattern: "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
  description: `The lock's value block; base64, of at most ${machineLimits.valueBlockBytes} bytes. Written only by a holder in PW or EX.`,
});
export const Owner = text(128, "Whose request this is, within the session, for finding deadlocks. Default: all requests of a session are one owner's.");
export const Consistency = Type.Enum(["linearizable", "stale"], {
  default: "linearizable", description: "linearizable (default): not older than this call. stale: what this replica has applied, at once, also without a quorum.",
});

const pollMs = (description: string) => Type.Integer({ minimum: 0, maximum: 60_000, description });
export const PollMs = pollMs("How long this call may hang. The request stays in its queue when it ends. Default: until the outcome, at most 60 s.");
export const ReadPollMs = pollMs("How long this call may hang if nothing has happened yet. Default 0.");

const Token = Type.Integer({ description: "Fencing token: higher than that of every grant before it, in the whole service." });
export const Revision = Type.Integer({ minimum: 0, description: "Of the service: grows with every event." });

export const ValueBlock = Type.Unsafe<{ data: string; valid: boolean } | null>({
  type: ["object", "null"], required: ["data", "valid"], additionalProperties: false,
  properties: { data: { type: "string", description: "base64" }, valid: { type: "boolean", description: "false: its last writer died holding the lock" } },
});

export const GrantedLock = closed({
  lock: Type.String(), mode: nullable(Type.String({ description: "null: a semaphore's" })), permits: nullable(Type.Integer()), valueBlock: ValueBlock,
});

export const Granted = closed({ status: Type.Literal("granted"), token: Token, locks: listOf(GrantedLock), revision: Revision }, "Granted, all of it.");
export const Waiting = closed({
  status: Type.Literal("waiting"),
  ahead: Type.Integer({ description: "Requests before it, in the longest of its queues." }),
  deadline: nullable(Type.Number({ description: "Cluster time at which it gives up; null: never." })),
  revision: Revision,
}, "Still in the queue. Ask again: the same PUT, or GET.");

export const Want = closed({
  lock: LockName,
  mode: Type.Optional(ModeOrName),
  permits: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: "Of a semaphore of `limit`; default 1." })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: "Makes it a counting semaphore. All who use it at a time name the same limit." })),
}, "A lock in a mode (default: exclusive), or permits of a semaphore.");

/** The answers with these codes and those that every route has: one for each status. */
export function errorAnswers(...codes: readonly ServiceErrorCode[]): Readonly<Record<number, TSchema>> {
  return openErrorAnswers("INVALID_REQUEST", "UNAUTHENTICATED", "FORBIDDEN", ...codes);
}

/** Likewise, of a route that answers whoever asks. A server that is starting answers nothing else than NOT_READY. */
export function openErrorAnswers(...codes: readonly ServiceErrorCode[]): Readonly<Record<number, TSchema>> {
  const all = [...new Set<ServiceErrorCode>([...codes, "NOT_READY", "INTERNAL"])].sort((a, b) => serviceErrors[a].status - serviceErrors[b].status);
  const statuses = new Set(all.map((code) => serviceErrors[code].status));
  return Object.fromEntries(Array.from(statuses, (status) => [status, errorAnswer(all.filter((code) => serviceErrors[code].status === status))]));
}

function errorAnswer(codes: readonly ServiceErrorCode[]): TSchema {
  return closed({
    error: closed({ code: Type.Enum([...codes]), message: Type.String({ description: "For people." }), details: Type.Optional(Type.Unknown({ description: "For programs; by code." })) }),
  }, codes.map((code) => `${code}: ${serviceErrors[code].when}`).join(" "));
}

/** Of every linearizable read. */
export const readCodes = ["NO_QUORUM", "STOPPING", "OVERLOADED", "NOT_CONFIRMED"] as const satisfies readonly ServiceErrorCode[];
/** Of everything that is submitted. */
export const submitCodes = ["NO_QUORUM", "STOPPING", "OVERLOADED", "NOT_SENT", "OUTCOME_UNKNOWN"] as const satisfies readonly ServiceErrorCode[];
/** Of everything that is submitted for a session: it may have to be read first whose it is. */
export const sessionCodes = ["SESSION_OVER", "NOT_CONFIRMED"] as const satisfies readonly ServiceErrorCode[];
/** Of everything with a name or an id in its path. */
export const pathCodes = ["URL_TOO_LONG"] as const satisfies readonly ServiceErrorCode[];
/** Of everything with a body. */
export const bodyCodes = ["BODY_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"] as const satisfies readonly ServiceErrorCode[];
/** Of requests for locks that are not granted. */
export const refusalCodes = ["WAIT_TIMEOUT", "HELD", "CANCELLED", "RELEASED", "SESSION_OVER", "LOCK_DELAY", "DEADLOCK"] as const satisfies readonly ServiceErrorCode[];

export const ClusterTime = Type.Number({ description: "Cluster time, milliseconds: grows with real time, and stands still while there is no quorum." });
export const LockPrefix = Type.String({ maxLength: lockNameLength, description: "Beginning of lock names; empty: all." });
export const PageAfter = Type.Optional(Type.String({ maxLength: lockNameLength, description: "As `next` of the page before said." }));
export const PageLimit = Type.Integer({ minimum: 1, maximum: 1000, description: "Rows of one page; default 1000." });
export const PageNext = nullable(Type.String({ description: "There are more: ask again with this as `after`. A page may be short, or empty, all the same." }));

const Time = ClusterTime;
export const NullableTime = (description: string) => nullable(Type.Number({ description: `Cluster time. ${description}` }));
const NullableMode = nullable(Type.String({ description: "NL, CR, CW, PR, PW or EX; null: a semaphore's." }));
const ofParty = { session: Type.String(), owner: nullable(Type.String()), request: Type.String() };
const Kind = Type.Enum(["modes", "semaphore"]);

export const Holder = closed({
  ...ofParty, mode: NullableMode, permits: nullable(Type.Integer()), token: Token, since: Time, value: nullable(Type.String()),
});
export const Waiter = closed({
  ...ofParty, mode: NullableMode, permits: nullable(Type.Integer()), since: Time, deadline: NullableTime("When it gives up; null: never."),
  converting: nullable(Type.String({ description: "Of a conversion: the request whose grant it converts." })),
});
export const Lock = closed({
  lock: Type.String(), kind: Kind, limit: nullable(Type.Integer()), holders: listOf(Holder), waiters: listOf(Waiter), valueBlock: ValueBlock,
  delayUntil: NullableTime("Nobody gets it before."),
});
export const LockSummary = closed({
  lock: Type.String(), kind: Kind, limit: nullable(Type.Integer()), holders: Type.Integer(), waiters: Type.Integer(),
  mode: nullable(Type.String({ description: "Of the holders, the strongest." })), permits: nullable(Type.Integer({ description: "Held, of a semaphore." })),
  delayUntil: NullableTime("Nobody gets it before."),
});
export const Session = closed({
  session: Type.String(), name: Type.String(), ttlMs: nullable(Type.Integer()), lockDelayMs: Type.Integer(), bound: Type.Boolean(), principal: nullable(Type.String()),
  behavior: Type.Enum(["release", "delete"], { description: "Of Consul's keys." }), openedAt: Time, deadline: NullableTime("When it expires if nothing comes."),
  requests: Type.Integer({ description: "Waiting or granted." }),
});
export const SessionRequest = closed({
  request: Type.String(), status: Type.Enum(["waiting", "granted"]), owner: nullable(Type.String()), locks: listOf(Type.String()), token: nullable(Type.Integer()), since: Time,
});
export const Leader = closed({ election: Type.String(), ...ofParty, value: nullable(Type.String()), token: Token, since: Time });
export const ForceReleased = closed({ released: Type.Integer({ description: "Grants that were taken." }), sessions: listOf(Type.String()), revision: Revision });
export const GraphEdge = closed({ from: closed(ofParty), to: closed(ofParty), lock: Type.String() }, "`from` waits for `to`: a holder in its way, or who stands directly before it.");
export const SessionEnd = Type.Enum(["closed", "expired", "replica-lost", "forced"]);

const Refusal = Type.Object({ code: Type.Enum([...refusalCodes]) }, { description: "As in the error that the caller gets: code, and its details." });
const ofEvent = { revision: Revision, position: Type.Integer({ description: "In the log." }), at: Time };
const ofRequest = { session: Type.String(), request: Type.String(), locks: listOf(Type.String()) };
const event = <N extends string, P extends TProperties>(type: N, properties: P) => closed({ type: Type.Literal(type), ...ofEvent, ...properties });

export const Event = Type.Union([
  event("session-opened", { session: Type.String(), name: Type.String() }),
  event("session-ended", { session: Type.String(), reason: SessionEnd }),
  event("queued", ofRequest),
  event("granted", { ...ofRequest, token: Token, value: nullable(Type.String()) }),
  event("refused", { ...ofRequest, refusal: Refusal }),
  event("released", { ...ofRequest, token: Token, reason: Type.Enum(["released", "converted", "session-ended", "forced", "cancelled"]) }),
  event("proclaimed", { ...ofRequest, value: Type.String() }),
  event("blocking", { session: Type.String(), request: Type.String(), lock: Type.String(), wanted: NullableMode }),
  event("force-released", { lock: Type.String(), sessions: listOf(Type.String()), reason: Type.String(), by: Type.String() }),
]);
