/** `lockstep-lock elect`: leads an election around a command, or shows who leads. */
import { parseArgs } from "node:util";
import type { LockClient } from "../client/lock-client.js";
import { clientDefinitions, clientOf, clientUsage, parsed, sessionName, splitCommand } from "./client-options.js";
import { runHeld } from "./held-command.js";
import { Interruption } from "./interruption.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock elect NAME --value VALUE -- COMMAND …: stands for election, and runs COMMAND while it leads; again, if it loses the lead.
lockstep-lock elect NAME --observe: prints each leader, as JSON, one a line.

  --value VALUE       what others see of the leader: an address, say
  --observe           only look
${clientUsage}
Exit code: of COMMAND, when it ends by itself.
`;

export async function run(args: readonly string[]): Promise<number> {
  const { own, command } = splitCommand(args);
  const { values, positionals } = parsed(() => parseArgs({
    args: own, allowPositionals: true,
    options: { ...clientDefinitions, value: { type: "string", default: "" }, observe: { type: "boolean", default: false } },
  }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("name one election");
  if (values.observe === (command.length > 0)) throw new UsageError("give --observe to look, or a command after -- to stand for election");
  const client = clientOf(values, { name: sessionName("elect", name) });
  if (values.observe) return observe(name, client);
  const interruption = new Interruption();
  try {
    return await client.elect(name, { value: values.value, signal: interruption.signal }, async (leadership) => {
      interruption.end();
      return await runHeld(name, leadership, command).finally(() => interruption.begin());
    });
  } catch (error) {
    const interrupted = interruption.exitCodeOf(error);
    if (interrupted === undefined) throw error;
    return interrupted;
  } finally {
    await client.close();
  }
}

async function observe(name: string, client: LockClient): Promise<number> {
  for await (const leader of client.observe(name)) process.stdout.write(`${JSON.stringify(leader)}\n`);
  return 0;
}
