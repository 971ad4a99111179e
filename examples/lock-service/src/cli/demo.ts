/** `lockstep-lock demo`: what fencing tokens are for, on real processes. */
import { parseArgs } from "node:util";
import { demonstrate } from "../demo/fencing.js";
import { parsed } from "./client-options.js";

const usage = `lockstep-lock demo [--without-tokens]: a client is paused past its lease, and writes late. About three seconds; nothing is left behind.

  --without-tokens    the resource takes what comes
  --help              this text
`;

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parsed(() => parseArgs({ args: [...args], options: { "without-tokens": { type: "boolean", default: false }, help: { type: "boolean", short: "h" } } }));
  if (values.help === true) process.stdout.write(usage);
  else if (process.platform === "win32") throw new Error("the demonstration stops a process (SIGSTOP) and lets it go on, which Windows cannot: see it on another system, or read on in docs/locks.md");
  else await demonstrate({ checksTokens: !values["without-tokens"], say: (line) => process.stdout.write(`${line}\n`) });
  return 0;
}
