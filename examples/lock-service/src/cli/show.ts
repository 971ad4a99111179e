/** `lockstep-lock show`: one lock, its holders and who waits; or, of many, who waits for whom. */
import { parseArgs } from "node:util";
import type { LockView, Party, WaitForGraph } from "../machine/view-types.js";
import type { LockClient } from "../client/lock-client.js";
import { clientDefinitions, clientOf, clientUsage, parsed } from "./client-options.js";
import { age, columns } from "./columns.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock show NAME: who holds the lock NAME, and who waits, in their order.
lockstep-lock show --graph [PREFIX]: who waits for whom, of all locks or of those whose names begin with PREFIX.

  --json              as JSON
${clientUsage}`;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], allowPositionals: true, options: { ...clientDefinitions, json: { type: "boolean", default: false }, graph: { type: "boolean", default: false } } }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (rest.length > 0 || (name === undefined && !values.graph)) throw new UsageError(values.graph ? "name one prefix, or none" : "name one lock");
  const client = clientOf(values);
  try {
    process.stdout.write(values.graph ? await graph(client, name ?? "", values.json) : await lock(client, name ?? "", values.json));
    return 0;
  } finally {
    await client.close();
  }
}

async function lock(client: LockClient, name: string, json: boolean): Promise<string> {
  const shown = (await client.get(`/v1/locks/${encodeURIComponent(name)}`)) as { readonly lock: LockView; readonly now: number };
  return json ? `${JSON.stringify(shown, undefined, 2)}\n` : describe(shown.lock, shown.now);
}

async function graph(client: LockClient, prefix: string, json: boolean): Promise<string> {
  const shown = (await client.get(`/v1/graph?${new URLSearchParams({ prefix }).toString()}`)) as WaitForGraph;
  if (json) return `${JSON.stringify(shown, undefined, 2)}\n`;
  if (shown.edges.length === 0) return "Nobody waits for anybody there.\n";
  const rows = shown.edges.map(({ from, to, lock }) => [lock, party(from), party(to)]);
  return `${columns(["LOCK", "WAITS", "FOR"], rows)}${shown.truncated ? "There is more: name a prefix.\n" : ""}`;
}

function party({ session, owner, request }: Party): string {
  return `${session} ${owner ?? request}`;
}

function describe({ lock, limit, holders, waiters, valueBlock, delayUntil }: LockView, now: number): string {
  const head = limit === null ? `${lock}\n` : `${lock}: a semaphore of ${limit} permits\n`;
  const delay = delayUntil !== null && delayUntil > now ? `Nobody gets it for another ${age(delayUntil - now)}: its last holder's session ended without releasing it.\n` : "";
  const block = valueBlock === null ? "" : `Value block: ${valueBlock.data}${valueBlock.valid ? "" : " (not valid: its writer died)"}\n`;
  if (holders.length + waiters.length === 0) return `${head}Nobody holds it.\n${delay}${block}`;
  const rows = [
    ...holders.map(({ session, mode, permits, token, since, value }) => ["holds", mode ?? String(permits), session, String(token), age(now - since), value ?? ""]),
    ...waiters.map(({ session, mode, permits, since, converting }) => [converting === null ? "waits" : "converts", mode ?? String(permits), session, "", age(now - since), ""]),
  ];
  return `${head}${columns(["", "MODE", "SESSION", "TOKEN", "FOR", "VALUE"], rows)}${delay}${block}`;
}
