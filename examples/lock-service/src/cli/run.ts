/** `lockstep-lock run`: holds a lock around a command. */
import { parseArgs } from "node:util";
import { lockModes } from "../machine/modes.js";
import { LockDelayError, LockHeldError, LockLostError, WaitTimeoutError } from "../client/errors.js";
import type { ModeName } from "../client/grant.js";
import { clientDefinitions, clientOf, clientUsage, parsed, secondsToMs, sessionName, splitCommand } from "./client-options.js";
import { lostExitCode, runHeld } from "./held-command.js";
import { Interruption } from "./interruption.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock run NAME [options] -- COMMAND …: holds the lock NAME while COMMAND runs.

COMMAND finds the fencing token in LOCKSTEP_LOCK_TOKEN, the name in LOCKSTEP_LOCK_NAME. If the lock is lost, COMMAND and all it
has started get SIGTERM, and soon SIGKILL, before another can hold it. What ends or stops (SIGKILL, SIGSTOP) lockstep-lock itself
does not reach COMMAND: what it does then, only its token keeps out. COMMAND has the terminal of lockstep-lock as its standard input and
output, but not as /dev/tty, where ssh and sudo ask for passwords. On Windows, which has no signals, they are ended at once.

  --mode MODE         exclusive (default), shared, or NL, CR, CW, PR, PW, EX
  --wait SECONDS      how long to wait for the lock: 0 not at all, forever (default)
  --ttl SECONDS       how long others wait if this machine dies; default 15, at least 3
${clientUsage}
Exit code: of COMMAND; 75 if somebody else holds the lock (--wait 0, or the time is over); ${lostExitCode} if it was lost.
`;

const notHeldExitCode = 75;
/** The lease ends a tenth of it early: enough for SIGTERM, a moment, SIGKILL. */
const leastTtlMs = 3000;

export async function run(args: readonly string[]): Promise<number> {
  const { own, command } = splitCommand(args);
  const { values, positionals } = parsed(() => parseArgs({
    args: own, allowPositionals: true,
    options: { ...clientDefinitions, mode: { type: "string", default: "exclusive" }, wait: { type: "string" }, ttl: { type: "string" } },
  }));
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  const [name, ...rest] = positionals;
  if (name === undefined || rest.length > 0) throw new UsageError("name one lock, before --");
  if (command.length === 0) throw new UsageError("after -- comes the command to run");
  const ttlMs = secondsToMs("--ttl", values.ttl, 15_000) ?? 0;
  if (ttlMs < leastTtlMs) throw new UsageError(`--ttl takes at least ${leastTtlMs / 1000} seconds`);
  const mode = modeOf(values.mode);
  const waitMs = secondsToMs("--wait", values.wait, null);
  const client = clientOf(values, { ttlMs, name: sessionName("run", name) });
  const interruption = new Interruption();
  try {
    const { signal } = interruption;
    return await client.withLock(name, { mode, waitMs, signal }, async (grant) => {
      interruption.end();
      // Giving the lock back is not to be interrupted either.
      return await runHeld(name, grant, command).finally(() => interruption.begin());
    });
  } catch (error) {
    const interrupted = interruption.exitCodeOf(error);
    if (interrupted !== undefined) return interrupted;
    if (error instanceof LockLostError) return lostExitCode;
    if (!(error instanceof LockHeldError || error instanceof LockDelayError || error instanceof WaitTimeoutError)) throw error;
    process.stderr.write(`lockstep-lock: ${error.message}\n`);
    return notHeldExitCode;
  } finally {
    await client.close();
  }
}

function modeOf(text: string): ModeName {
  const found = (["shared", "exclusive", ...lockModes] as const).find((mode) => mode === text);
  if (found === undefined) throw new UsageError(`--mode takes exclusive, shared, ${lockModes.join(", ")}, not ${JSON.stringify(text)}`);
  return found;
}
