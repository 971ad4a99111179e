/** `lockstep-lock show`: one lock, its holders and who waits; or who waits for whom. */
import { parseArgs } from "node:util";
import type { LockView } from "../machine/views.js";
import { clientDefinitions, clientOf, clientUsage, parsed } from "./client-options.js";
import { age, columns } from "./columns.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock show NAME: who holds the lock NAME, and who waits, in their order.

  --json              as JSON
${clientUsage}`;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], allowPositionals: true, options: { ...clientDefinitions, json: { type: "boolean", default: false } } }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("name one lock");
  const client = clientOf(values);
  try {
    const shown = (await client.get(`/v1/locks/${encodeURIComponent(name)}`)) as { readonly lock: LockView; readonly now: number };
    process.stdout.write(values.json ? `${JSON.stringify(shown, undefined, 2)}\n` : describe(shown.lock, shown.now));
    return 0;
  } finally {
    await client.close();
  }
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
