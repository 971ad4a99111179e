/** createReplica: checks the options, wires the parts, opens the disk, and joins. */
import { resolve } from "node:path";
import { wireParts, type ReplicaParts } from "./container.js";
import { LockstepError } from "./errors.js";
import { resolveLimits } from "./limits.js";
import type { Store, StoreIdentity } from "./log/store.js";
import { defaultLogger } from "./logger.js";
import type { AnyCommand, AnyMachine, AnyQuery, Machine } from "./machine/types.js";
import { ControlServer, type Controlled } from "./operate/control-server.js";
import type { Replica } from "./replica-api.js";
import { checkOptions, checkSlots, checkTransport, openStoreOf, policyOf, type ReplicaOptions } from "./replica-options.js";
import { ReplicaNode } from "./replica.js";

/**
 * Joins the group, and resolves when this replica is a member of it. Synchronising and the first primary view may come
 * later: await ready().
 * @throws LockstepError CONFIGURATION_INVALID, COROSYNC_UNAVAILABLE, SLOT_TAKEN, of its directory STORE_UNAVAILABLE, STORE_LOCKED, STORE_FOREIGN, STORE_DAMAGED, STORE_FAILED, and what the transport's join() throws.
 */
export async function createReplica<
  S,
  C extends Readonly<Record<string, AnyCommand<S>>>,
  Q extends Readonly<Record<string, AnyQuery<S>>>,
>(machine: Machine<S, C, Q>, options: ReplicaOptions): Promise<Replica<S, C, Q>> {
  checkOptions(machine, options);
  const parts = wireParts({
    group: options.group,
    machine: machine as unknown as AnyMachine<unknown>,
    checkDeterminism: options.checkDeterminism ?? false,
    transport: options.transport,
    openStore: openStoreOf(options),
    policy: policyOf(options.quorum),
    limits: resolveLimits(options.limits),
    logger: () => options.logger ?? defaultLogger(),
    provide: options.provide ?? {},
  });
  checkTransport(parts.transport);
  const slots = checkSlots(options.slots ?? (await parts.transport.configuredNodes()));
  const store = await openStore(parts, { group: options.group, machine: machine.name, version: machine.version, slots });
  const node = new ReplicaNode(machine, options.group, slots, parts, store);
  // A replica with a directory answers operators there, from before it is a member.
  if (store !== undefined && options.directory !== undefined) await listenForOperators(options.directory, node);
  await node.start();
  return node;
}

async function listenForOperators(directory: string, node: Controlled & Pick<ReplicaNode<never, never, never>, "alsoClose" | "stop">): Promise<void> {
  try {
    const control = await ControlServer.open(resolve(directory), node);
    node.alsoClose(() => control.close());
  } catch (error) {
    await node.stop();
    throw error;
  }
}

async function openStore({ openStore: open, transport, policy }: ReplicaParts, whose: Pick<StoreIdentity, "group" | "machine" | "version" | "slots">): Promise<Store | undefined> {
  if (open === undefined) return undefined;
  if (transport.localNode === undefined) throw new LockstepError("CONFIGURATION_INVALID", "this transport does not tell its node's id, which a durable replica must know: use corosync() or memory(), or no directory");
  return open({ ...whose, slot: await transport.localNode(), policy: policy.name });
}
