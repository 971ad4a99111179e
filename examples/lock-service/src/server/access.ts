/**
 * Who may do what. A principal is known by its token; its permissions are by prefix of lock names, and each allows just what it names:
 * "read" to look, "lock" to open sessions and hold locks, "admin" to take locks from others. Administrators of everything (the empty
 * prefix) may also see, renew and end the sessions of others.
 */
import { createHash, timingSafeEqual } from "node:crypto";

export const permissionNames = ["read", "lock", "admin"] as const;
export type Permission = (typeof permissionNames)[number];

export interface Grant {
  readonly prefix: string;
  readonly allow: readonly Permission[];
}

export class Principal {
  /** Null: authentication is off. */
  readonly name: string | null;
  readonly #grants: readonly Grant[];

  constructor(name: string | null, grants: readonly Grant[]) {
    this.name = name;
    this.#grants = grants;
  }

  /** Of the lock of this name; or, of a prefix, of all locks whose names begin with it. */
  may(permission: Permission, lock: string): boolean {
    return this.#grants.some(({ prefix, allow }) => lock.startsWith(prefix) && allow.includes(permission));
  }

  /** Of some lock. */
  mayAnywhere(permission: Permission): boolean {
    return this.#grants.some(({ allow }) => allow.includes(permission));
  }

  /** Whether a session that `owner` opened is this one's to use. */
  mayUseSessionOf(owner: string | null): boolean {
    return this.name === null || owner === this.name || this.may("admin", "");
  }
}

/** Without authentication: whoever reaches the port may do everything. */
export const everyone = new Principal(null, [{ prefix: "", allow: permissionNames }]);

export interface TokenEntry {
  readonly name: string;
  /** Of the token, hexadecimal. */
  readonly sha256: string;
  readonly permissions: readonly Grant[];
}

/** The tokens that are known. Another set can take its place while requests run. */
export class Access {
  #principals: ReadonlyMap<string, { readonly digest: Buffer; readonly principal: Principal }> | undefined;

  /** Undefined: authentication is off. */
  constructor(tokens?: readonly TokenEntry[]) {
    this.replace(tokens);
  }

  get required(): boolean {
    return this.#principals !== undefined;
  }

  replace(tokens: readonly TokenEntry[] | undefined): void {
    this.#principals = tokens === undefined
      ? undefined
      : new Map(tokens.map(({ name, sha256, permissions }) => [sha256, { digest: Buffer.from(sha256, "hex"), principal: new Principal(name, permissions) }]));
  }

  /** Undefined if the token is missing or unknown. */
  authenticate(token: string | undefined): Principal | undefined {
    if (this.#principals === undefined) return everyone;
    if (token === undefined) return undefined;
    // Found by its digest, which nobody can choose: how long that takes tells nothing about the tokens that there are.
    const digest = createHash("sha256").update(token).digest();
    const found = this.#principals.get(digest.toString("hex"));
    return found !== undefined && timingSafeEqual(found.digest, digest) ? found.principal : undefined;
  }
}

/** Of an Authorization header. */
export function bearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +([^\s]+) *$/i.exec(header)?.[1];
}
