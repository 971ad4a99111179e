/**
 * Run as a process of its own on a node: an application that uses locks through the client library as it is, and writes to the resource while it holds them. It
 * obeys its signal, but for stumbles: there it is stopped between the look and the write, and writes when it wakes, as real programs do.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "@lockstep/framework/testing";
import { LockClient, LockLostError, LockServiceError } from "@lockstep/lock-service/client";
import type { Grant } from "@lockstep/lock-service/client";
import { serveCalls } from "../../cluster/serve-calls.js";
import { monotonicMs, permits } from "./records.js";
import type { HolderValue, LockUse } from "./records.js";
import { ResourceLine } from "./resource-line.js";
import { stumbling } from "./stumbling.js";

export interface ClientSetup {
  readonly name: string;
  readonly seed: number;
  readonly endpoints: readonly string[];
  readonly ttlMs: number;
  readonly bound: boolean;
  /** The resource's socket. */
  readonly resource: string;
}

export interface Acquired {
  readonly token: number;
  /** monotonicMs() at which the client knew. */
  readonly at: number;
}

export interface ChaosLockClient {
  setUp(setup: ClientSetup): Promise<void>;
  /** One critical section after the other, until stop(). Resolves to how often each outcome came. */
  work(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
  /** Once, and kept. */
  acquire(lock: string): Promise<Acquired>;
  close(): Promise<void>;
}

interface Errand {
  readonly locks: readonly string[];
  readonly use: LockUse;
  readonly waitMs: number | null;
  readonly steps: number;
  /** Asked for while the first is held. */
  readonly inner: Errand | undefined;
}

const exclusiveLocks = ["x1", "x2", "x3", "x4", "x5"];
const thinkMs = [5, 60] as const;
const stepMs = [5, 25] as const;
const stepsOf = [3, 20] as const;
/** Longer than a lease: there it is lost to a client that runs, and stops in time. */
const longStepsOf = [80, 250] as const;
const longShare = 0.15;
const stumbleShare = 0.005;
/** The controller's SIGSTOP comes within it. */
const stumbleMs = 400;

class Application implements ChaosLockClient {
  #setup!: ClientSetup;
  #client!: LockClient;
  #line!: ResourceLine;
  #random!: Random;
  #sequence = 0;
  #running = true;
  readonly #outcomes: Record<string, number> = {};

  async setUp(setup: ClientSetup): Promise<void> {
    const { name, seed, endpoints, ttlMs, bound, resource } = setup;
    this.#setup = setup;
    this.#random = new Random(seed);
    this.#client = new LockClient({ name, endpoints, ttlMs, bound, attemptMs: 1_500, patienceMs: 10_000 });
    this.#line = await ResourceLine.open(resource);
  }

  async work(): Promise<Readonly<Record<string, number>>> {
    while (this.#running) {
      await this.#run(this.#choose());
      await sleep(this.#random.between(...thinkMs));
    }
    return this.#outcomes;
  }

  async stop(): Promise<void> {
    this.#running = false;
    return Promise.resolve();
  }

  async acquire(lock: string): Promise<Acquired> {
    const { token } = await this.#client.acquire(lock, { value: this.#value("EX") });
    return { token, at: monotonicMs() };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #choose(): Errand {
    const random = this.#random;
    const kind = random.next();
    const [first = "", second = ""] = random.shuffled(exclusiveLocks);
    const [fewest, most] = random.chance(longShare) ? longStepsOf : stepsOf;
    const common = { waitMs: random.pick([null, null, 4_000, 300, 0]) ?? null, steps: random.between(fewest, most), inner: undefined };
    if (kind < 0.5) return { ...common, locks: [first], use: "EX" };
    if (kind < 0.62) return { ...common, locks: [first, second], use: "EX" };
    if (kind < 0.7) return { ...common, locks: [first], use: "EX", inner: { ...common, locks: [second], use: "EX" } };
    if (kind < 0.78) return { ...common, locks: ["rw"], use: "EX" };
    if (kind < 0.9) return { ...common, locks: ["rw"], use: "PR" };
    return { ...common, locks: ["sem"], use: "permit" };
  }

  async #run(errand: Errand): Promise<void> {
    const { locks, use, waitMs } = errand;
    const kind = use === "permit" ? { limit: permits } : { mode: use };
    try {
      await this.#client.withLock(locks, { ...kind, waitMs, value: this.#value(use) }, (grant) => this.#inside(grant, errand));
      this.#count("done");
    } catch (error) {
      if (!(error instanceof LockServiceError)) throw error;
      this.#count(error instanceof LockLostError ? "LOST" : error.code);
    }
  }

  async #inside(grant: Grant, errand: Errand): Promise<void> {
    const enteredAt = monotonicMs();
    if (!grant.held) return;
    await this.#tell(grant, errand, "enter", enteredAt);
    if (errand.inner !== undefined) await this.#run(errand.inner);
    for (let step = 0; step < errand.steps; step++) {
      const heldAt = monotonicMs();
      if (!grant.held || grant.signal.aborted) return;
      if (errand.use !== "EX") await this.#tell(grant, errand, "look", heldAt);
      else if (this.#random.chance(stumbleShare)) await this.#stumble(grant, errand);
      else await this.#tell(grant, errand, "write", heldAt);
      await sleep(this.#random.between(...stepMs));
    }
  }

  /** Between the look and the write. Nothing of this process runs while it waits, timers neither: it cannot know that its lease is over. */
  async #stumble(grant: Grant, errand: Errand): Promise<void> {
    await new Promise((sent) => { process.send?.(stumbling, sent); });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stumbleMs);
    await this.#tell(grant, errand, "write", null);
  }

  #tell(grant: Grant, { locks }: Errand, kind: "enter" | "look" | "write", heldAt: number | null): Promise<boolean> {
    this.#sequence++;
    return this.#line.tell({ kind, client: this.#setup.name, session: grant.session.id, locks, token: grant.token, sequence: this.#sequence, heldAt });
  }

  #value(use: LockUse): string {
    return JSON.stringify({ client: this.#setup.name, use } satisfies HolderValue);
  }

  #count(outcome: string): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
  }
}

serveCalls(new Application());
