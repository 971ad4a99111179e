/** The machines that can be simulated, by the names that the command takes. */
import { LaboratoryWorkload, type Random, type Workload } from "@lockstep/framework/testing";
import { LockWorkload } from "@lockstep/lock-service/testing";

export const workloads = {
  /** A bit of everything that a machine can do: for the protocol. */
  laboratory: (random: Random): Workload => new LaboratoryWorkload(random),
  lock: (random: Random): Workload => new LockWorkload(random),
} as const;

export type MachineName = keyof typeof workloads;

export function isMachineName(name: string): name is MachineName {
  return Object.hasOwn(workloads, name);
}
