/** What all commands that speak to a service take: where it is, and how to be let in. */
import { readFileSync } from "node:fs";
import type { TlsSettings } from "../client/endpoints.js";
import { LockClient } from "../client/lock-client.js";
import { UsageError } from "./usage-error.js";

export const clientUsage = `  --endpoints URL,…   replicas of the service; default $LOCKSTEP_LOCK_ENDPOINTS, else http://127.0.0.1:7400 and the two ports after it
  --token-file FILE   the token to be let in with; default: what $LOCKSTEP_LOCK_TOKEN_FILE names, if it is set
  --tls-ca FILE       PEM: whom to trust, if not the system's authorities
  --tls-cert FILE     PEM: the certificate to show, if the service asks for one, …
  --tls-key FILE      … and its key
  --help              this text
`;

export const clientDefinitions = {
  endpoints: { type: "string" },
  "token-file": { type: "string" },
  "tls-ca": { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export interface ClientValues {
  readonly endpoints?: string | undefined;
  readonly "token-file"?: string | undefined;
  readonly "tls-ca"?: string | undefined;
  readonly "tls-cert"?: string | undefined;
  readonly "tls-key"?: string | undefined;
}

const defaultEndpoints = "http://127.0.0.1:7400,http://127.0.0.1:7401,http://127.0.0.1:7402";

/** @throws UsageError if a file cannot be read. */
export function clientOf(values: ClientValues, more: { readonly ttlMs?: number; readonly name?: string } = {}): LockClient {
  const endpoints = (values.endpoints ?? process.env["LOCKSTEP_LOCK_ENDPOINTS"] ?? defaultEndpoints).split(",").map((endpoint) => endpoint.trim());
  const tokenFile = values["token-file"] ?? process.env["LOCKSTEP_LOCK_TOKEN_FILE"];
  const tls = tlsOf(values);
  return new LockClient({
    endpoints, ...more,
    ...(tokenFile === undefined ? {} : { token: readOption("--token-file", tokenFile).trim() }),
    ...(tls === undefined ? {} : { tls }),
  });
}

/** What a session's name may have: server/routes/sessions.ts. */
const longestName = 256;

/** For who looks at sessions: `lockstep-lock run NAME`. A lock's name may be so long that the whole is too long for a session's. */
export function sessionName(command: string, lock: string): string {
  const whole = `lockstep-lock ${command} ${lock}`;
  return whole.length <= longestName ? whole : `lockstep-lock ${command}`;
}

function tlsOf({ "tls-ca": ca, "tls-cert": cert, "tls-key": key }: ClientValues): TlsSettings | undefined {
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if ((cert === undefined) !== (key === undefined)) throw new UsageError("to show a certificate needs --tls-cert and --tls-key, both");
  return {
    ...(ca === undefined ? {} : { ca: readOption("--tls-ca", ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: readOption("--tls-cert", cert), key: readOption("--tls-key", key) }),
  };
}

/** What parseArgs throws is about the command line. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** What comes before `--`, and the command that comes after it. */
export function splitCommand(args: readonly string[]): { readonly own: string[]; readonly command: readonly string[] } {
  const separator = args.indexOf("--");
  return separator < 0 ? { own: [...args], command: [] } : { own: args.slice(0, separator), command: args.slice(separator + 1) };
}

/** Seconds, as people give them: 10, 0.5, or forever. @throws UsageError */
export function secondsToMs(option: string, text: string | undefined, otherwise: number | null): number | null {
  if (text === undefined) return otherwise;
  if (text === "forever") return null;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!(seconds <= 86_400)) throw new UsageError(`${option} takes seconds, up to 86400, not ${JSON.stringify(text)}`);
  return Math.round(seconds * 1000);
}

function readOption(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
