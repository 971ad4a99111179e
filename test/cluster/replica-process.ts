/** A replica in a process on a node of a test cluster: what a test holds of it. The process runs serve-replica.ts. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Cluster } from "./cluster.js";
import type { ReplicaAnswer, ReplicaCall, ReplicaMethod, ReplicaServer, ReplicaSettings } from "./serve-replica.js";

const program = fileURLToPath(new URL("../dist/cluster/serve-replica.js", import.meta.url));

type Call<M extends ReplicaMethod> = (...args: Parameters<ReplicaServer[M]>) => ReturnType<ReplicaServer[M]>;

export class ReplicaProcess {
  readonly nodeId: number;
  readonly process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #calls = 0;

  constructor(cluster: Cluster, nodeId: number) {
    this.nodeId = nodeId;
    this.process = cluster.node(nodeId).spawn(process.execPath, [program], { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" });
    this.process.on("message", (message) => { this.#take(message as ReplicaAnswer); });
    this.process.once("exit", (code, signal) => { this.#ended(`replica process ${nodeId} ended: code ${String(code)}, signal ${String(signal)}`); });
  }

  static async open(cluster: Cluster, nodeId: number, settings: ReplicaSettings): Promise<ReplicaProcess> {
    const replica = new ReplicaProcess(cluster, nodeId);
    await replica.call("open", settings);
    return replica;
  }

  call<M extends ReplicaMethod>(method: M, ...args: Parameters<Call<M>>): ReturnType<Call<M>> {
    this.#calls++;
    const id = this.#calls;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.process.send({ id, method, args } satisfies ReplicaCall, (error) => {
        if (error !== null) this.#take({ id, error: error.message });
      });
    });
    return answer as ReturnType<Call<M>>;
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }

  #take({ id, value, error }: ReplicaAnswer): void {
    const call = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) call?.resolve(value);
    else call?.reject(new Error(error));
  }

  #ended(how: string): void {
    for (const call of this.#waiting.values()) call.reject(new Error(how));
    this.#waiting.clear();
  }
}
