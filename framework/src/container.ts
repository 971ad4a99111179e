/** Wires a replica's parts. The only file that knows tsyringe; every part can be replaced by its token. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import { container as root, instanceCachingFactory, type DependencyContainer, type InjectionToken } from "tsyringe";
import { createApplier } from "./apply/applier.js";
import { systemClock, type Clock } from "./apply/cluster-clock.js";
import type { Applier } from "./apply/types.js";
import type { QuorumPolicy } from "./core/quorum-policy.js";
import { LockstepError } from "./errors.js";
import { resolveLimits, type Limits } from "./limits.js";
import { MemoryLog, type Log } from "./log/log.js";
import type { OpenStore } from "./log/store.js";
import { ofReplica, type Logger } from "./logger.js";
import { unobserved, type ProtocolObserver } from "./observer.js";
import { checkParts } from "./part-check.js";
import { systemScheduler, type Scheduler } from "./scheduler.js";
import type { AnyMachine } from "./machine/types.js";
import type { GroupTransport } from "./transport/group-transport.js";

/** What a replica is made of, by name. */
export interface ReplicaParts {
  readonly transport: GroupTransport;
  readonly applier: Applier<unknown>;
  readonly log: Log;
  /** Opens the disk of a durable replica; undefined: it keeps everything in memory. */
  readonly openStore: OpenStore | undefined;
  readonly policy: QuorumPolicy;
  readonly limits: Limits;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly observer: ProtocolObserver;
  /** Makes the random id of one start: 16 hexadecimal digits. */
  readonly newIncarnation: () => string;
}

export type PartName = keyof ReplicaParts;

function token<T>(name: string): InjectionToken<T> {
  return Symbol(`lockstep.${name}`);
}

export const tokens: { readonly [K in PartName]: InjectionToken<ReplicaParts[K]> } = {
  transport: token("transport"),
  applier: token("applier"),
  log: token("log"),
  openStore: token("openStore"),
  policy: token("policy"),
  limits: token("limits"),
  logger: token("logger"),
  clock: token("clock"),
  scheduler: token("scheduler"),
  observer: token("observer"),
  newIncarnation: token("newIncarnation"),
};

/** Replaces a part: made once, when it is first needed; it may ask for the others, but for none that asks for it. */
export type Provide = { readonly [K in PartName]?: (part: <T>(token: InjectionToken<T>) => T) => ReplicaParts[K] };

export interface Wiring {
  readonly group: string;
  readonly machine: AnyMachine<unknown>;
  readonly checkDeterminism: boolean;
  readonly transport: GroupTransport;
  readonly openStore: OpenStore | undefined;
  readonly policy: QuorumPolicy;
  readonly limits: Limits;
  readonly logger: () => Logger;
  readonly provide: Provide;
}

/** @throws LockstepError CONFIGURATION_INVALID if a part is none, or needs itself. */
export function wireParts(wiring: Wiring): ReplicaParts {
  const { machine, checkDeterminism, provide } = wiring;
  const container = root.createChildContainer();
  const defaults: Required<Provide> = {
    transport: () => wiring.transport,
    applier: () => createApplier(machine, { checkDeterminism }),
    log: () => new MemoryLog(),
    openStore: () => wiring.openStore,
    policy: () => wiring.policy,
    limits: () => wiring.limits,
    logger: wiring.logger,
    clock: () => systemClock,
    scheduler: () => systemScheduler,
    observer: () => unobserved,
    newIncarnation: () => () => randomBytes(8).toString("hex"),
  };
  const underWay: PartName[] = [];
  for (const name of Object.keys(tokens) as PartName[]) register(container, name, provide[name] ?? defaults[name], underWay);
  const parts: ReplicaParts = {
    transport: container.resolve(tokens.transport),
    applier: container.resolve(tokens.applier),
    log: container.resolve(tokens.log),
    openStore: container.resolve(tokens.openStore),
    policy: container.resolve(tokens.policy),
    limits: resolveLimits(container.resolve(tokens.limits)),
    logger: container.resolve(tokens.logger),
    clock: container.resolve(tokens.clock),
    scheduler: container.resolve(tokens.scheduler),
    observer: container.resolve(tokens.observer),
    newIncarnation: container.resolve(tokens.newIncarnation),
  };
  checkParts(parts);
  return { ...parts, logger: ofReplica(wiring.group, parts.logger) };
}

/** @param underWay the parts that are being made, each for the one before it. */
function register<K extends PartName>(container: DependencyContainer, name: K, make: (part: <T>(token: InjectionToken<T>) => T) => ReplicaParts[K], underWay: PartName[]): void {
  const part = <T>(wanted: InjectionToken<T>): T => container.resolve(wanted);
  const makeOnce = (): ReplicaParts[K] => {
    if (underWay.includes(name)) {
      const circle = [...underWay.slice(underWay.indexOf(name)), name];
      throw new LockstepError("CONFIGURATION_INVALID", `provide.${name} cannot ask for what is made of it, or for itself: ${circle.join(" asks for ")}`);
    }
    underWay.push(name);
    const made = make(part);
    underWay.pop();
    return made;
  };
  container.register<ReplicaParts[K]>(tokens[name], { useFactory: instanceCachingFactory(makeOnce) });
}
