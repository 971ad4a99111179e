/**
 * The file that --auth names: {"tokens": [{"name", "token" or "sha256", "permissions": [{"prefix", "allow": ["read", "lock", "admin"]}]}]}.
 * Everything in it is checked: a permission that is misspelt must not be one that is silently missing.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { permissionNames, type Grant, type Permission, type TokenEntry } from "./access.js";

/** Says what is wrong with the file, where, and what would be right. */
export class TokenFileError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "TokenFileError";
  }
}

/** @throws TokenFileError */
export async function readTokenFile(path: string): Promise<readonly TokenEntry[]> {
  try {
    return parseTokens(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new TokenFileError(`The authentication file ${path} cannot be used: ${message}`, error);
  }
}

/** Shorter ones can be guessed. */
const leastTokenLength = 16;

/** @throws Error that says where and what. */
export function parseTokens(json: unknown): readonly TokenEntry[] {
  const { tokens } = fields(json, "it", ["tokens"]);
  const entries = list(tokens, "tokens").map((entry, i) => parseEntry(entry, `tokens[${i}]`));
  if (entries.length === 0) throw new Error("tokens must have at least one entry: with none, nobody could do anything");
  refuseTwice(entries.map(({ name }) => name), "the name");
  refuseTwice(entries.map(({ sha256 }) => sha256), "the token with SHA-256");
  return entries;
}

function parseEntry(json: unknown, where: string): TokenEntry {
  const { name, token, sha256, permissions } = fields(json, where, ["name", "token", "sha256", "permissions"]);
  if (typeof name !== "string" || name === "") throw new Error(`${where}.name must be a name: it is shown with sessions, and kept in the record of what was forced`);
  return { name, sha256: digestOf(token, sha256, where), permissions: list(permissions, `${where}.permissions`).map((each, i) => parseGrant(each, `${where}.permissions[${i}]`)) };
}

function digestOf(token: unknown, sha256: unknown, where: string): string {
  if ((token === undefined) === (sha256 === undefined)) throw new Error(`${where} must have token or sha256, one of the two`);
  if (token !== undefined) {
    if (typeof token !== "string" || token.length < leastTokenLength || /\s/.test(token)) {
      throw new Error(`${where}.token must be at least ${leastTokenLength} characters without spaces; make one with: openssl rand -hex 24`);
    }
    return createHash("sha256").update(token).digest("hex");
  }
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256)) throw new Error(`${where}.sha256 must be 64 hexadecimal digits: printf %s TOKEN | sha256sum`);
  return sha256.toLowerCase();
}

function parseGrant(json: unknown, where: string): Grant {
  const { prefix, allow } = fields(json, where, ["prefix", "allow"]);
  if (typeof prefix !== "string") throw new Error(`${where}.prefix must be the beginning of lock names; "" is all of them`);
  return { prefix, allow: list(allow, `${where}.allow`).map((each) => parsePermission(each, `${where}.allow`)) };
}

function parsePermission(json: unknown, where: string): Permission {
  const found = permissionNames.find((name) => name === json);
  if (found === undefined) throw new Error(`${where} takes ${permissionNames.join(", ")}, not ${JSON.stringify(json)}`);
  return found;
}

function fields(json: unknown, where: string, allowed: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new Error(`${where} must be an object with ${allowed.join(", ")}`);
  const unknown = Object.keys(json).find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw new Error(`${where} has ${JSON.stringify(unknown)}; it may have ${allowed.join(", ")}`);
  return json as Readonly<Record<string, unknown>>;
}

function list(json: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(json)) throw new Error(`${where} must be a list`);
  return json;
}

function refuseTwice(values: readonly string[], what: string): void {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new Error(`${what} ${twice} is there twice`);
}
