/**
 * A client in a process of its own, which is stopped while it holds a lock. When a line comes it looks at what it has, first of all: before any timer that was due
 * meanwhile. Arguments: TTL, endpoints. Runs what the build has made.
 */
import { createInterface } from "node:readline";
import { LockClient } from "../../dist/client/index.js";

const [ttl, ...endpoints] = process.argv.slice(2);
const client = new LockClient({ endpoints, ttlMs: Number(ttl) });
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const grant = await client.acquire("x");
const { signal } = grant;
say({ token: grant.token });
for await (const _line of createInterface({ input: process.stdin })) {
  say({ aborted: signal.aborted, reason: signal.reason?.code, held: grant.held });
  // The same client goes on, in a new session.
  const next = await client.acquire("y", { waitMs: 0 });
  say({ token: next.token, sameSession: next.session === grant.session });
  await client.close();
  break;
}
