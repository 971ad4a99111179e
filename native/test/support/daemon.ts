/**
 * A real Corosync of one node, in a network and a mount namespace of its own, for tests that need a daemon. Not a cluster: test/cluster
 * has three nodes.
 *
 * libqb's sockets are abstract, so they belong to the network namespace; its buffers are files in /dev/shm, named after process ids and
 * left there by a killed daemon, so they belong to the mount namespace, or a later process with such an id would find them. Clients are
 * started inside both (client.ts). The namespaces are nowhere by name: they live as long as the holder process, which the kernel kills
 * when the test process ends, however it ends.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface DaemonOptions {
  /** Lines of the quorum section besides the provider. */
  readonly quorum?: readonly string[];
  /**
   * Begins deaf: it hears nothing, not even itself, so that it forms no ring and takes no clients until hear(). start() resolves when it
   * turns them away.
   */
  readonly deaf?: boolean;
}

/** Only a failure waits for it. */
const patienceMs = 60_000;

export class Daemon {
  readonly directory = mkdtempSync(join(tmpdir(), "lockstep-corosync-"));
  #holder: ChildProcess | undefined;
  #corosync: ChildProcess | undefined;
  #deaf = false;

  /** Starts the namespaces and the daemon; resolves when it answers clients. */
  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = new Daemon();
    try {
      daemon.#writeConfiguration(options);
      await daemon.#startHolder();
      if (options.deaf === true) daemon.#firewall("-A");
      await daemon.run();
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  get pid(): number {
    const pid = this.#corosync?.pid;
    if (pid === undefined) throw new Error("corosync is not running");
    return pid;
  }

  /** Enters the daemon's namespaces: put it before a command. */
  get enter(): readonly string[] {
    return ["nsenter", "-t", String(this.#holder?.pid), "-n", "-m", "--", "env", "-C", process.cwd()];
  }

  /** Starts the daemon (again) in the same namespaces. */
  async run(): Promise<void> {
    const corosync = this.#spawn([...this.enter, "corosync", "-f", "-c", join(this.directory, "corosync.conf")]);
    this.#corosync = corosync;
    await this.#until("corosync to form its ring", () => {
      if (corosync.exitCode !== null) throw new Error(`corosync ended with ${corosync.exitCode}:\n${this.log()}`);
      return this.log().includes(this.#deaf ? "adding new UDPU member" : "Completed service synchronization, ready to provide service");
    });
  }

  /** No longer deaf: it forms its ring. */
  hear(): void {
    this.#firewall("-D");
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Resolves when the daemon has ended, with its exit code; null if it was killed. */
  async ended(): Promise<number | null> {
    const corosync = this.#corosync;
    if (corosync === undefined) throw new Error("corosync is not running");
    if (corosync.exitCode === null && corosync.signalCode === null) await once(corosync, "exit");
    return corosync.exitCode;
  }

  /** Kills the daemon, as a crash would. */
  async kill(): Promise<void> {
    await end(this.#corosync);
    this.#corosync = undefined;
    rmSync(join(this.directory, "corosync.log"), { force: true });
  }

  /** Leaves nothing behind. */
  async stop(): Promise<void> {
    await end(this.#corosync);
    await end(this.#holder);
    rmSync(this.directory, { recursive: true, force: true });
  }

  log(): string {
    try {
      return readFileSync(join(this.directory, "corosync.log"), "utf8");
    } catch {
      return "";
    }
  }

  async #startHolder(): Promise<void> {
    const script = `mount --bind "$1/run" /run && mount -t tmpfs tmpfs /dev/shm && ip link set lo up && touch "$1/ready" && exec sleep infinity`;
    const holder = this.#spawn(["unshare", "-n", "-m", "sh", "-c", script, "sh", this.directory]);
    this.#holder = holder;
    await this.#until("the namespaces", () => {
      if (holder.exitCode !== null) throw new Error(`unshare ended with ${holder.exitCode}`);
      try {
        readFileSync(join(this.directory, "ready"));
        return true;
      } catch {
        return false;
      }
    });
  }

  /** With transport udpu the daemon's messages to itself are packets, too. */
  #firewall(change: "-A" | "-D"): void {
    this.#deaf = change === "-A";
    const [command, ...args] = [...this.enter, "iptables", change, "OUTPUT", "-p", "udp", "-j", "DROP"];
    execFileSync(command ?? "", args);
  }

  #spawn(command: readonly string[]): ChildProcess {
    return spawn("setpriv", ["--pdeathsig", "KILL", ...command], { stdio: ["ignore", "ignore", "inherit"] });
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms for ${what}:\n${this.log()}`);
      await sleep(10);
    }
  }

  #writeConfiguration(options: DaemonOptions): void {
    for (const name of ["run", "state"]) mkdirSync(join(this.directory, name));
    writeFileSync(
      join(this.directory, "corosync.conf"),
      `totem { version: 2 cluster_name: native-test transport: ${options.deaf === true ? "udpu" : "knet"} crypto_cipher: none crypto_hash: none token: 1000 }
nodelist { node { ring0_addr: 127.0.0.1 name: one nodeid: 7 } }
quorum { provider: corosync_votequorum ${(options.quorum ?? []).join(" ")} }
system { state_dir: ${join(this.directory, "state")} sched_rr: no move_to_root_cgroup: no }
logging { to_stderr: no to_syslog: no to_logfile: yes logfile: ${join(this.directory, "corosync.log")} }
`.replaceAll(/ ?([{}]) ?/g, "\n$1\n").replaceAll(/([a-z_0-9]+: \S+) /g, "$1\n").replaceAll(/(\w+)\n\{/g, "$1 {"),
    );
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
