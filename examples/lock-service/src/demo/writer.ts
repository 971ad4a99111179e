/**
 * A client of the demonstration, as a process: takes the lock, gets ready to write, and writes when it is told to. Between getting ready and writing
 * it looks at nothing, as a process cannot between two instructions: that is where it is stopped.
 *
 *     node writer.js NAME TTL RESOURCE ENDPOINT…
 */
import { readSync } from "node:fs";
import { LockClient } from "../client/lock-client.js";

const [name = "", ttl = "", resource = "", ...endpoints] = process.argv.slice(2);
const say = (event: object): void => { process.stdout.write(`${JSON.stringify(event)}\n`); };

const client = new LockClient({ endpoints, name, ttlMs: Number(ttl) });
try {
  await client.withLock("file", {}, async (grant) => {
    say({ event: "ready", token: grant.token });
    readSync(0, Buffer.alloc(1));
    const answer = await fetch(resource, { method: "POST", body: JSON.stringify({ by: name, token: grant.token, value: `written by ${name}` }) });
    say({ event: "answered", status: answer.status, text: await answer.text(), held: grant.held, aborted: grant.signal.aborted });
  });
  say({ event: "done" });
} catch (error) {
  say({ event: "failed", message: error instanceof Error ? error.message : String(error) });
}
process.exit(0);
