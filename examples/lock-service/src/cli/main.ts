#!/usr/bin/env node
/** The program: gives its arguments to the subcommand that they name. */
import { lockServiceVersion } from "../server/version.js";
import { UsageError } from "./usage-error.js";

const usage = `lockstep-lock: a replicated lock manager with sessions and fencing tokens.

  lockstep-lock serve     run the service
  lockstep-lock run       hold a lock around a command
  lockstep-lock ls        list locks
  lockstep-lock show      show a lock, its holders and who waits
  lockstep-lock release   take a lock from its holders
  lockstep-lock elect     lead an election around a command, or observe one
  lockstep-lock demo      see what fencing tokens are for

  lockstep-lock COMMAND --help    its options
  lockstep-lock --version         the version
`;

interface Subcommand {
  /** Resolves to the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** Each in the file of its name, loaded when asked for: who holds a lock around a command should not wait for a server's modules. */
const subcommands = new Set(["serve", "run", "ls", "show", "release", "elect", "demo"]);

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === "--version") {
    process.stdout.write(`lockstep-lock ${lockServiceVersion}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "help") {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  if (!subcommands.has(name)) throw new UsageError(`there is no command ${JSON.stringify(name)}\n\n${usage.trimEnd()}`);
  const subcommand = await (import(`./${name}.js`) as Promise<Subcommand>);
  try {
    return await subcommand.run(args);
  } catch (error) {
    if (error instanceof UsageError) error.message += `\nSee lockstep-lock ${name} --help.`;
    throw error;
  }
}

// Of those that print and end. A service (serve.ts) goes on, whoever reads what it says.
if (process.argv[2] !== "serve") process.stdout.on("error", endOfOutput);
try {
  const code = await main(process.argv.slice(2));
  // What could not be written is told in the next turn.
  await new Promise(setImmediate);
  // Nothing that a subcommand has left running keeps the process.
  process.exit(code);
} catch (error) {
  process.stderr.write(`lockstep-lock: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof UsageError ? 2 : 1);
}

/** Whoever read what is printed (`… | head`) may have read enough; anything else (a full disk) is a failure. */
function endOfOutput({ code, message }: NodeJS.ErrnoException): never {
  if (code === "EPIPE") process.exit(0);
  process.stderr.write(`lockstep-lock: what it prints cannot be written: ${message}\n`);
  process.exit(1);
}
