/**
 * A private network (and mount) namespace, held open by a process of its own: it is gone when its last process is. It has
 * no name anywhere, so nothing of the machine's own network is touched and nothing can collide.
 */
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { createInterface } from "node:readline";
import { toolPath } from "./available.js";
import { ClusterError, processRef, run } from "./processes.js";
import type { CommandOptions, ProcessRef } from "./processes.js";

/** "owner": ends with the process that started it, however that ends. "itself": stays. */
export type Lifetime = "owner" | "itself";

export class Namespace {
  readonly holder: ProcessRef;

  constructor(holder: ProcessRef) {
    this.holder = holder;
  }

  /**
   * /run and /dev/shm are empty and private: Corosync keeps its pid file in one, its clients' buffers in the other.
   * @throws ClusterError
   */
  static async create(lifetime: Lifetime): Promise<Namespace> {
    const script = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm && ip link set lo up && echo ready && exec sleep infinity";
    const command = ["unshare", "--net", "--mount", "--propagation", "private", ...tied(lifetime), "sh", "-c", script];
    const holder = spawn(command[0] as string, command.slice(1), { stdio: ["ignore", "pipe", "pipe"], detached: true, env: toolEnvironment() });
    const errors: string[] = [];
    holder.stderr.on("data", (data) => errors.push(String(data)));
    const ready = await new Promise<boolean>((resolve) => {
      createInterface(holder.stdout).once("line", () => { resolve(true); });
      holder.once("error", (error) => { errors.push(error.message); resolve(false); });
      holder.once("exit", () => { resolve(false); });
    });
    if (!ready) throw new ClusterError(`A namespace could not be made: ${errors.join("").trim()}`);
    holder.stdout.destroy();
    holder.stderr.destroy();
    holder.unref();
    return new Namespace(processRef(holder.pid));
  }

  /** Starts a program inside. The child's pid is the program's own: nothing stands between. */
  spawn(lifetime: Lifetime, command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    const { cwd = process.cwd(), env = process.env, ...rest } = options;
    const line = [...this.#enter(), "--", "env", "-C", String(cwd), ...tied(lifetime), command, ...args];
    return spawn("nsenter", line, { ...rest, env: { ...toolEnvironment(), ...env, PATH: `${env["PATH"] ?? ""}:${toolPath}` } });
  }

  /** Runs a command inside to its end. @throws ClusterError */
  async run(command: string, args: readonly string[], options?: CommandOptions): Promise<string> {
    return run("nsenter", [...this.#enter(), "--", command, ...args], options);
  }

  #enter(): string[] {
    return ["--target", String(this.holder.pid), "--net", "--mount"];
  }
}

/** The kernel kills the program when its parent ends, by whatever: PR_SET_PDEATHSIG in prctl(2). Of a parent that had ended before, nothing is told any more. */
function tied(lifetime: Lifetime): string[] {
  return lifetime === "owner" ? ["setpriv", "--pdeathsig", "KILL", "sh", "-c", `[ "$PPID" = "$0" ] && exec "$@"`, String(process.pid)] : [];
}

function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: toolPath };
}
