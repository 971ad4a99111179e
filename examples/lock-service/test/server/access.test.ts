/** Tokens and permissions, and the file they come from. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Access, bearerToken, everyone, Principal } from "../../src/server/access.js";
import { parseTokens, readTokenFile, TokenFileError } from "../../src/server/token-file.js";

const token = "0123456789abcdef";
const sha256 = createHash("sha256").update(token).digest("hex");
const permissions = [{ prefix: "a/", allow: ["read", "lock"] }];

describe("a token", () => {
  it("is known by itself or by its SHA-256, and nothing else is", () => {
    for (const known of [{ token }, { sha256 }, { sha256: sha256.toUpperCase() }]) {
      const access = new Access(parseTokens({ tokens: [{ name: "a", ...known, permissions }] }));
      expect(access.authenticate(token)?.name).toBe("a");
      for (const other of [undefined, "", sha256, `${token} `, token.slice(1), "__proto__"]) expect(access.authenticate(other)).toBeUndefined();
    }
  });

  it("is not asked for without a file", () => {
    const access = new Access();
    expect(access.required).toBe(false);
    expect(access.authenticate(undefined)).toBe(everyone);
    expect(everyone.may("admin", "anything")).toBe(true);
  });

  it("is taken from an Authorization header of the kind Bearer", () => {
    expect(bearerToken(`Bearer ${token}`)).toBe(token);
    expect(bearerToken(`bearer  ${token} `)).toBe(token);
    for (const other of [undefined, "", token, `Basic ${token}`, "Bearer", "Bearer a b"]) expect(bearerToken(other)).toBeUndefined();
  });
});

describe("a permission", () => {
  const principal = new Principal("p", [{ prefix: "a/", allow: ["read", "lock"] }, { prefix: "a/b/", allow: ["admin"] }, { prefix: "c", allow: ["read"] }]);

  it("allows just what it names, of names that begin with its prefix", () => {
    expect(["a/", "a/x", "a/b/x"].map((name) => principal.may("lock", name))).toEqual([true, true, true]);
    expect(["a", "", "b", "c", "A/x"].map((name) => principal.may("lock", name))).toEqual([false, false, false, false, false]);
    expect(principal.may("admin", "a/x")).toBe(false);
    expect(principal.may("admin", "a/b/x")).toBe(true);
    expect(principal.may("read", "cd")).toBe(true);
  });

  it("is for all locks of a prefix only if it is for that prefix or a shorter one", () => {
    expect(principal.may("read", "a/bc")).toBe(true);
    expect(principal.may("read", "")).toBe(false);
  });

  it("lets its principal use its own sessions, and only administrators of everything those of others", () => {
    expect(principal.mayUseSessionOf("p")).toBe(true);
    expect(principal.mayUseSessionOf("q")).toBe(false);
    expect(principal.mayUseSessionOf(null)).toBe(false);
    expect(new Principal("root", [{ prefix: "", allow: ["admin"] }]).mayUseSessionOf("p")).toBe(true);
  });
});

describe("the authentication file", () => {
  it.each([
    [[], /it must be an object with tokens/],
    [{}, /tokens must be a list/],
    [{ tokens: [] }, /at least one/],
    [{ tokens: [], token: 1 }, /it has "token"; it may have tokens/],
    [{ tokens: [{ token, permissions }] }, /tokens\[0\]\.name must be a name/],
    [{ tokens: [{ name: "a", permissions }] }, /tokens\[0\] must have token or sha256/],
    [{ tokens: [{ name: "a", token, sha256, permissions }] }, /one of the two/],
    [{ tokens: [{ name: "a", token: "short", permissions }] }, /at least 16 characters/],
    [{ tokens: [{ name: "a", token: `${token} ${token}`, permissions }] }, /without spaces/],
    [{ tokens: [{ name: "a", sha256: token, permissions }] }, /64 hexadecimal digits/],
    [{ tokens: [{ name: "a", token }] }, /tokens\[0\]\.permissions must be a list/],
    [{ tokens: [{ name: "a", token, permissions: [{ prefix: "x" }] }] }, /permissions\[0\]\.allow must be a list/],
    [{ tokens: [{ name: "a", token, permissions: [{ allow: ["read"] }] }] }, /permissions\[0\]\.prefix must be/],
    [{ tokens: [{ name: "a", token, permissions: [{ prefix: "x", allow: ["write"] }] }] }, /allow takes read, lock, admin, not "write"/],
    [{ tokens: [{ name: "a", token, permission: permissions }] }, /tokens\[0\] has "permission"/],
    [{ tokens: [{ name: "a", token, permissions }, { name: "a", token: `${token}x`, permissions }] }, /the name a is there twice/],
    [{ tokens: [{ name: "a", token, permissions }, { name: "b", sha256, permissions }] }, /the token with SHA-256 [0-9a-f]{64} is there twice/],
  ])("%j is refused and says why", (json, message) => {
    expect(() => parseTokens(json)).toThrow(message);
  });

  it("is named when it cannot be read, or is not JSON", async () => {
    const directory = await mkdtemp(join(tmpdir(), "lockstep-lock-test-"));
    const path = join(directory, "auth.json");
    await expect(readTokenFile(path)).rejects.toThrow(TokenFileError);
    await expect(readTokenFile(path)).rejects.toThrow(`${path} cannot be used: ENOENT`);
    await writeFile(path, "{");
    await expect(readTokenFile(path)).rejects.toThrow(/cannot be used: .*JSON/);
    await writeFile(path, JSON.stringify({ tokens: [{ name: "a", token, permissions }] }));
    expect(await readTokenFile(path)).toEqual([{ name: "a", sha256, permissions }]);
    await rm(directory, { recursive: true });
  });
});
