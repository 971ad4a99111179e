/** Replicas of one small machine on an in-process network, for tests of whole replicas. */
import { createReplica } from "../../src/create-replica.js";
import { defineMachine } from "../../src/machine/define-machine.js";
import { reject } from "../../src/machine/reject.js";
import { Table } from "../../src/machine/table.js";
import type { Limits } from "../../src/limits.js";
import type { Logger } from "../../src/logger.js";
import type { ReplicaOptions } from "../../src/replica-options.js";
import { MemoryNetwork, memory } from "../../src/transport/memory/index.js";
import type { GroupTransport } from "../../src/transport/group-transport.js";

interface State {
  values: Table<string, number>;
  fired: string[];
  /** Slots, as of each change of members. */
  views: number[][];
}

/** @param salt replicas with different ones are not deterministic together. */
export function counters(salt = 0) {
  return defineMachine({
    name: "counters",
    version: 1,
    initialState: (): State => ({ values: new Table(), fired: [], views: [] }),
    commands: (command) => ({
      add: command((draft, { key, by }: { key: string; by: number }) => {
        const total = (draft.values.get(key) ?? 0) + by;
        draft.values.set(key, total);
        return total;
      }),
      take: command((draft, key: string) => {
        const value = draft.values.get(key);
        if (value === undefined) throw reject("absent", { key });
        draft.values.delete(key);
        return value;
      }),
      salted: command((draft, key: string) => void draft.values.set(key, salt)),
      echo: command((_draft, text: string) => text.length),
      later: command((_draft, { ms, name }: { ms: number; name: string }, context) => context.schedule(context.now + ms, "fire", name)),
      fire: command((draft, name: string) => void draft.fired.push(name)),
    }),
    queries: {
      total: (state, key: string) => state.values.get(key) ?? 0,
      fired: (state) => state.fired,
    },
    onMembersChanged: (draft, change) => void draft.views.push(change.members.map(({ slot }) => slot)),
  });
}

/** Small enough for tests to run in milliseconds, large enough for a machine that does other things as well. */
export const quickLimits: Partial<Limits> = { tickMs: 5, silenceTimeoutMs: 300, transferTimeoutMs: 300, answerTimeoutMs: 15_000, digestIntervalMs: 0 };

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export type TestReplica = Awaited<ReturnType<typeof open>>;
export type TestOptions = Partial<Omit<ReplicaOptions, "limits">> & { readonly limits?: Partial<Limits>; readonly salt?: number };

async function open(transport: GroupTransport, { limits, salt, ...options }: TestOptions) {
  return createReplica(counters(salt), { group: "counters", transport, logger: silent, ...options, limits: { ...quickLimits, ...limits } });
}

export class TestGroup {
  readonly network: MemoryNetwork;
  readonly #open: TestReplica[] = [];

  constructor(nodes: number, messageBytes?: number) {
    this.network = new MemoryNetwork({ nodes, ...(messageBytes === undefined ? {} : { limits: { messageBytes } }) });
  }

  async start(nodeId: number, options: TestOptions = {}): Promise<TestReplica> {
    const replica = await open(memory({ network: this.network, nodeId }), options);
    this.#open.push(replica);
    return replica;
  }

  /** One replica on every node, ready. */
  async startAll(options: TestOptions = {}): Promise<TestReplica[]> {
    const replicas = await Promise.all(this.network.nodes.map((nodeId) => this.start(nodeId, options)));
    await Promise.all(replicas.map((replica) => replica.ready()));
    return replicas;
  }

  async stop(): Promise<void> {
    for (const node of this.network.nodes) this.network.resume(node);
    await Promise.all(this.#open.map((replica) => replica.stop()));
  }
}

/** A transport that can come back, as the clustered one can. @param later the node's id after that, if it is given another */
export function renewable(network: MemoryNetwork, nodeId: number, later = nodeId): GroupTransport {
  const transport = memory({ network, nodeId });
  return {
    maxMessageBytes: transport.maxMessageBytes,
    configuredNodes: () => transport.configuredNodes(),
    localNode: async () => nodeId,
    join: (group, listener) => transport.join(group, listener),
    multicast: (message) => transport.multicast(message),
    leave: () => transport.leave(),
    close: () => transport.close(),
    renew: () => renewable(network, later),
  };
}
