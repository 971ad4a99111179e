/** What is seen of a run: the resource's records, and the service's events as each node's replica tells them. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../../cluster/cluster.js";
import { endpointsOf } from "./crowd.js";
import type { ResourceRecord, SeenEvent } from "./records.js";

const programOf = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export class Witnesses {
  readonly records: ResourceRecord[] = [];
  /** Two replicas that told different things of one revision. */
  readonly contradictions: string[] = [];
  /** The resource's. A unix socket is reached from every node, whatever its network is like. */
  readonly socket: string;
  readonly #events = new Map<number, SeenEvent>();
  readonly #texts = new Map<number, string>();
  readonly #newest = new Map<number, number>();
  readonly #children: ChildProcess[] = [];
  readonly #scratch = mkdtempSync(join(tmpdir(), "lockstep-resource-"));
  #closing = false;

  constructor() {
    this.socket = join(this.#scratch, "socket");
  }

  get events(): SeenEvent[] {
    return Array.from(this.#events.values()).sort((a, b) => a.event.revision - b.event.revision);
  }

  async start(cluster: Cluster, directory: string, tokens: boolean, accident: (what: string) => void): Promise<void> {
    const log = openSync(join(directory, "witnesses.log"), "a");
    const options = { stdio: ["ignore", log, log, "ipc"] as ("ignore" | "ipc" | number)[], serialization: "advanced" as const };
    const resource = spawn(process.execPath, [programOf("resource"), this.socket, tokens ? "tokens" : "no-tokens"], options);
    const listening = once(resource, "message");
    resource.on("message", (message) => { if (isRecord(message)) this.records.push(message.record); });
    this.#keep(resource, "the resource", accident);
    for (const nodeId of cluster.nodeIds) {
      const watcher = cluster.node(nodeId).spawn(process.execPath, [programOf("watcher"), ...endpointsOf(cluster, nodeId)], options);
      watcher.on("message", (message) => { this.#heard(nodeId, (message as { readonly seen: SeenEvent }).seen); });
      this.#keep(watcher, `the watcher of node ${nodeId}`, accident);
    }
    closeSync(log);
    await listening;
  }

  /** Whether all watchers have heard of everything up to there. */
  haveHeard(revision: number): boolean {
    return this.#newest.size > 0 && Array.from(this.#newest.values()).every((newest) => newest === revision);
  }

  close(): void {
    this.#closing = true;
    for (const child of this.#children) child.kill("SIGKILL");
    rmSync(this.#scratch, { recursive: true, force: true });
  }

  #keep(child: ChildProcess, name: string, accident: (what: string) => void): void {
    this.#children.push(child);
    child.once("exit", (code, signal) => { if (!this.#closing) accident(`${name} ended by itself: code ${String(code)}, signal ${String(signal)}`); });
  }

  #heard(nodeId: number, { event, seenAt }: SeenEvent): void {
    const { revision } = event;
    this.#newest.set(nodeId, Math.max(revision, this.#newest.get(nodeId) ?? 0));
    const text = JSON.stringify(event);
    const known = this.#texts.get(revision);
    if (known !== undefined && known !== text) this.contradictions.push(`revision ${revision} is ${known} and, through node ${nodeId}, ${text}`);
    this.#texts.set(revision, text);
    if (seenAt < (this.#events.get(revision)?.seenAt ?? Infinity)) this.#events.set(revision, { event, seenAt });
  }
}

function isRecord(message: unknown): message is { readonly record: ResourceRecord } {
  return typeof message === "object" && message !== null && "record" in message;
}
