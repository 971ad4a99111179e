/** `lockstep-lock ls`: locks that somebody holds or awaits. */
import { parseArgs } from "node:util";
import type { LockSummary } from "../machine/views.js";
import { clientDefinitions, clientOf, clientUsage, parsed } from "./client-options.js";
import { columns } from "./columns.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock ls [PREFIX]: locks that somebody holds or awaits, and how many.

  --json              one JSON object a line
${clientUsage}`;

interface Page {
  readonly locks: readonly LockSummary[];
  readonly next: string | null;
}

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], allowPositionals: true, options: { ...clientDefinitions, json: { type: "boolean", default: false } } }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (positionals.length > 1) throw new UsageError("name one prefix, or none");
  const client = clientOf(values);
  try {
    const locks: LockSummary[] = [];
    for (let after: string | null = null, first = true; first || after !== null; first = false) {
      const query = new URLSearchParams({ ...(positionals[0] === undefined ? {} : { prefix: positionals[0] }), ...(after === null ? {} : { after }) });
      const page = (await client.get(`/v1/locks?${query.toString()}`)) as Page;
      locks.push(...page.locks);
      after = page.next;
    }
    if (values.json) for (const lock of locks) process.stdout.write(`${JSON.stringify(lock)}\n`);
    else if (locks.length === 0) process.stdout.write("Nobody holds or awaits any lock there.\n");
    else process.stdout.write(columns(["LOCK", "KIND", "HOLDERS", "WAITERS"], locks.map(({ lock, kind, holders, waiters }) => [lock, kind, String(holders), String(waiters)])));
    return 0;
  } finally {
    await client.close();
  }
}
