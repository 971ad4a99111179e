/** `lockstep-lock release`: takes a lock from its holders. */
import { parseArgs } from "node:util";
import { clientDefinitions, clientOf, clientUsage, parsed } from "./client-options.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock release NAME --reason TEXT: takes the lock NAME from its holders, and records why.

They are not asked, and may be at work: only their tokens keep out what they still do. A request for several locks loses them all.

  --reason TEXT       kept with the event
  --session ID        only from this session
${clientUsage}`;

export async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parsed(() => parseArgs({ args: [...args], allowPositionals: true, options: { ...clientDefinitions, reason: { type: "string" }, session: { type: "string" } } }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("name one lock");
  if (values.reason === undefined || values.reason === "") throw new UsageError("say why, with --reason");
  const client = clientOf(values);
  try {
    const { sessions } = await client.forceRelease(name, values.reason, values.session);
    process.stdout.write(sessions.length === 0 ? `Nobody held ${name}.\n` : `Taken from ${sessions.join(", ")}.\n`);
    return 0;
  } finally {
    await client.close();
  }
}
