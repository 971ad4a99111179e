/** Groups on disks, for tests of what operators do to them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestGroup, type TestOptions, type TestReplica } from "../support/test-group.js";

export class Bed {
  readonly directory = mkdtempSync(join(tmpdir(), "lockstep-operate-"));
  #group = new TestGroup(3);

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** The replica of a slot, on its directory: DIR/SLOT, unless told otherwise. */
  start(slot: number, options: TestOptions = {}): Promise<TestReplica> {
    return this.#group.start(slot, { durability: "disk", directory: this.path(String(slot)), ...options });
  }

  async startAll(options: TestOptions = {}): Promise<TestReplica[]> {
    const replicas = await Promise.all([1, 2, 3].map((slot) => this.start(slot, options)));
    await Promise.all(replicas.map((replica) => replica.ready()));
    return replicas;
  }

  /** In memory, for what needs no disk. */
  inMemory(): Promise<TestReplica[]> {
    return this.#group.startAll();
  }

  /** All are gone at once; what comes next is on a network of its own. */
  async stopAll(): Promise<void> {
    await this.#group.stop();
    this.#group = new TestGroup(3);
  }

  async end(): Promise<void> {
    await this.#group.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function addAll(replica: TestReplica | undefined, count: number, prefix = "key"): Promise<void> {
  if (replica === undefined) throw new Error("there is a replica");
  await Promise.all(Array.from({ length: count }, (_, n) => replica.submit.add({ key: `${prefix} ${n}`, by: n + 1 })));
}

export function valuesOf(replica: TestReplica | undefined): [string, number][] {
  return Array.from(replica?.state.values ?? []);
}
