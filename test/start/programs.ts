/** Runs programs of this repository as people and CI do, in an environment that is not the tests'. */
import { spawn } from "node:child_process";
import { once } from "node:events";

export interface Ended {
  readonly code: number | null;
  /** Standard output and error, as they came. */
  readonly output: string;
  readonly lastLine: string;
}

export interface Place {
  readonly cwd: string;
  /** Looked into before PATH. */
  readonly path?: string;
  /** Besides PATH and HOME. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function runProgram(command: string, args: readonly string[], { cwd, path, env }: Place): Promise<Ended> {
  const { PATH = "", HOME = "/" } = process.env;
  const child = spawn(command, args, { cwd, env: { PATH: path === undefined ? PATH : `${path}:${PATH}`, HOME, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => { output += text; });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output, lastLine: output.trimEnd().split("\n").at(-1) ?? "" };
}
