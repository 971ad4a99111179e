/** The program as people start it, as a process of its own. Runs what the build has made. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.js";

export const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const running: ChildProcess[] = [];

export interface Run {
  readonly child: ChildProcess;
  readonly output: { out: string; err: string };
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** @param env Besides the tests' own. */
export function run(args: readonly string[], cwd?: string, env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd, env: { ...process.env, ...env } });
  running.push(child);
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => { output.out += text; });
  child.stderr.setEncoding("utf8").on("data", (text: string) => { output.err += text; });
  const ended = once(child, "close").then(([code, signal]) => (code as number | null) ?? (signal as string | null));
  return { child, output, ended };
}

/** Resolves to the replicas' addresses when all of them take commands; throws what the program says if it ends instead. */
export async function serving({ child, output }: Run): Promise<readonly string[]> {
  await eventually("it says that it runs", () => {
    if (child.exitCode !== null) throw new Error(`it has ended: ${output.out}${output.err}`);
    return output.out.includes("Ctrl-C");
  });
  return [...output.out.matchAll(/replica \d of \d on (\S+)/g)].map((match) => match[1] ?? "");
}

/** After each test. Resolves when they are gone, and their directories can be removed. */
export async function killAll(): Promise<void> {
  await Promise.all(running.splice(0).map(async (child) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }));
}
