/** What is recorded of a run with locks: by the resource, in the order in which things came to it, and by those who follow the service's events. */
import type { LockEvent } from "@lockstep/lock-service/client";

/** CLOCK_MONOTONIC, milliseconds: one clock for all processes of this machine, which goes on while a process is stopped. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export type LockUse = "EX" | "PR" | "permit";

/** What the service shows with a holder: with it, its events tell who may hold together. */
export interface HolderValue {
  readonly client: string;
  readonly use: LockUse;
}

/** A line from a client to the resource. All but a `write` is only recorded. */
export interface Notice {
  /** `enter`: it has just been granted. `look`: it believes that it holds. `write`: it changes what the locks guard. */
  readonly kind: "enter" | "look" | "write";
  readonly client: string;
  readonly session: string;
  readonly locks: readonly string[];
  readonly token: number;
  readonly sequence: number;
  /** Read just before the client found its grant held and its signal not aborted; null: it has not looked. */
  readonly heldAt: number | null;
}

export interface ResourceRecord extends Notice {
  readonly accepted: boolean;
}

export interface SeenEvent {
  readonly event: LockEvent;
  /** When it was first heard of; it happened before. */
  readonly seenAt: number;
}

/** Permits of the semaphore. */
export const permits = 2;
