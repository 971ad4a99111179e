/** The program as people start it, as a process of its own. Runs what the build has made. */
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { eventually } from "./eventually.js";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const repository = fileURLToPath(new URL("../../../..", import.meta.url));

type Child = ChildProcessByStdio<null, Readable, Readable>;
/** What ends each of them at once. */
const running = new Map<Child, (signal: NodeJS.Signals) => void>();

export interface Run {
  readonly child: Child;
  readonly output: { out: string; err: string };
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

export function run(...args: string[]): Run {
  return runIn(undefined, ...args);
}

/** In a directory of its own. */
export function runIn(cwd: string | undefined, ...args: string[]): Run {
  return start(cwd, {}, args);
}

/** As on Windows, as far as the program itself looks where it runs. (What is loaded before is of this system: the database's addon is another one there.) */
export function runOnWindows(...args: string[]): Run {
  const rules = `import ${JSON.stringify(new URL("../../../../framework/dist/index.js", import.meta.url).href)}; Object.defineProperty(process, "platform", { value: "win32" });`;
  return start(undefined, { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(rules)}` }, args);
}

function start(cwd: string | undefined, env: Readonly<Record<string, string>>, args: readonly string[]): Run {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], cwd, env: { ...process.env, ...env } });
  return watch(child, (signal) => child.kill(signal));
}

export interface NpmRun extends Run {
  /** To all of its processes, as a terminal sends what is typed. */
  readonly signal: (signal: NodeJS.Signals) => void;
}

/** `npm start`, which is a group of processes. Ended are they when the last of them is gone. */
export function npmStart(...args: string[]): NpmRun {
  const child = spawn("npm", ["start", "--", ...args], { stdio: ["ignore", "pipe", "pipe"], cwd: repository, detached: true });
  const signal = (name: NodeJS.Signals): void => { if (child.pid !== undefined) process.kill(-child.pid, name); };
  return { ...watch(child, signal), signal };
}

function watch(child: Child, kill: (signal: NodeJS.Signals) => void): Run {
  running.set(child, kill);
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => { output.out += text; });
  child.stderr.setEncoding("utf8").on("data", (text: string) => { output.err += text; });
  const ended = once(child, "close").then(([code, signal]) => (code as number | null) ?? (signal as string | null));
  return { child, output, ended };
}

/** Resolves to the replicas' ports when all of them take writes; throws what the program says if it ends instead. */
export async function serving({ child, output }: Run): Promise<readonly number[]> {
  await eventually("it says that it runs", () => {
    if (child.exitCode !== null) throw new Error(`it has ended: ${output.out}${output.err}`);
    return output.out.includes("Ctrl-C");
  });
  return portsOf(output.out);
}

export function portsOf(text: string): readonly number[] {
  return [...text.matchAll(/replica \d of \d on 127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
}

/** After each test. Resolves when they are gone, and their directories can be removed. */
export async function killAll(): Promise<void> {
  const all = [...running];
  running.clear();
  await Promise.all(all.map(async ([child, kill]) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    kill("SIGKILL");
    await exited;
  }));
}
