/** One way to take locks, for each of the systems that are compared. What is theirs stays open from one lock to the next: connections, sessions, leases. */
import { Etcd3, type Lease } from "etcd3";
import { LockClient } from "@lockstep/lock-service/client";

export type Release = () => Promise<unknown>;

/** Connected to one server. */
export interface Locks {
  /** Waits for ever. */
  acquire(name: string): Promise<Release>;
  close(): unknown;
}

const leaseSeconds = 30;

/** The client library as users have it: a session, and the other replicas to go to. */
export class LockstepLocks implements Locks {
  readonly #client: LockClient;

  private constructor(client: LockClient) {
    this.#client = client;
  }

  static async open(endpoints: readonly string[]): Promise<LockstepLocks> {
    const client = new LockClient({ endpoints, patienceMs: 1000 });
    try {
      await (await client.acquire("first")).release();
      return new LockstepLocks(client);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  async acquire(name: string): Promise<Release> {
    const grant = await this.#client.acquire(name);
    return () => grant.release();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/**
 * etcd's own recipe (its package `concurrency`): a key for each who asks, under the lock's name, with a lease that is kept; the oldest has the lock, everybody else
 * watches the one before. Who finds it free needs one transaction, and one deletion for giving it back. The recipe of npm's etcd3 is not taken: it grants and
 * revokes a lease for each lock, and cannot wait.
 */
export class EtcdLocks implements Locks {
  readonly #client: Etcd3;
  readonly #lease: Lease;
  readonly #leaseId: string;
  #asked = 0;

  private constructor(client: Etcd3, lease: Lease, leaseId: string) {
    this.#client = client;
    this.#lease = lease;
    this.#leaseId = leaseId;
  }

  static async open(host: string, port: number): Promise<EtcdLocks> {
    const client = new Etcd3({ hosts: `http://${host}:${port}` });
    try {
      const lease = client.lease(leaseSeconds);
      return new EtcdLocks(client, lease, await lease.grant());
    } catch (error) {
      client.close();
      throw error;
    }
  }

  async acquire(name: string): Promise<Release> {
    const prefix = `locks/${name}/`;
    const key = `${prefix}${this.#leaseId}-${this.#asked++}`;
    const { header, responses } = await this.#client.if(key, "Create", "==", 0)
      .then(this.#client.put(key).value("").lease(this.#leaseId), this.#client.getAll().prefix(prefix).sort("Create", "Ascend").limit(1))
      .commit();
    const release: Release = () => this.#client.delete().key(key).exec();
    if (responses[1]?.response_range?.kvs[0]?.key.toString() === key) return release;
    await this.#waitForOlder(prefix, BigInt(header.revision));
    return release;
  }

  close(): void {
    this.#lease.release();
    this.#client.close();
  }

  async #waitForOlder(prefix: string, own: bigint): Promise<void> {
    for (;;) {
      const { header, kvs } = await this.#client.getAll().prefix(prefix).maxCreateRevision(String(own - 1n)).sort("Create", "Descend").limit(1).exec();
      const before = kvs[0];
      if (before === undefined) return;
      await this.#deleted(before.key, BigInt(header.revision) + 1n);
    }
  }

  async #deleted(key: Buffer, from: bigint): Promise<void> {
    const watcher = this.#client.watch().key(key).only("delete").startRevision(String(from)).watcher();
    await new Promise<void>((resolve, reject) => { watcher.on("delete", () => { resolve(); }).on("error", reject); });
    void watcher.cancel();
  }
}
