/** What the programs that `npm run` starts from this folder have in common: --help, one line for what is wrong, and exit codes. */
import { ClusterError } from "./cluster/processes.js";

/** The command line asks for what cannot be. */
export class UsageError extends Error {}

/**
 * @param main Answers the exit code; an error that it throws makes it 2 if the command line is wrong (UsageError, or parseArgs' own), else 1.
 */
export async function runCommand(usage: string, main: (args: readonly string[]) => Promise<number>): Promise<void> {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  try {
    process.exitCode = await main(args);
  } catch (error) {
    const wrong = isWrongUsage(error);
    if (wrong) console.error(`${error.message}\n${usage}`);
    else console.error(error instanceof ClusterError ? error.message : error);
    process.exitCode = wrong ? 2 : 1;
  }
}

function isWrongUsage(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true);
}
