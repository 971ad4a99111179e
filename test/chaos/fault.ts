/** What can go wrong with a cluster, as data: a plan is made of it, the nemesis puts it in force. */

export const faultKinds = ["cut", "split", "block", "partialCut", "loss", "pauseDaemon", "killDaemon", "pauseReplica", "killReplica", "killNode", "powerLoss"] as const;
export type FaultKind = (typeof faultKinds)[number];

export type Fault =
  /** Nobody hears the node, and it hears nobody. */
  | { readonly kind: "cut"; readonly node: number }
  /** Two sides that do not hear each other. */
  | { readonly kind: "split"; readonly side: readonly number[]; readonly rest: readonly number[] }
  /** One node does not hear another; the other way stays open. */
  | { readonly kind: "block"; readonly from: number; readonly to: number }
  /** Two nodes do not hear each other; the others hear both. */
  | { readonly kind: "partialCut"; readonly between: readonly [number, number] }
  /** All daemons and all replicas are killed at once, and started again at the end. Only durable replicas promise anything then. */
  | { readonly kind: "powerLoss" }
  /** Every node loses this share of the packets that come to it. */
  | { readonly kind: "loss"; readonly percent: number }
  | { readonly kind: "pauseDaemon" | "killDaemon" | "pauseReplica" | "killReplica"; readonly node: number }
  /** Its daemon, its replica and its clients are killed at once; daemon and replica are started again at the end. */
  | { readonly kind: "killNode"; readonly node: number };

/** SIGSTOP until the end, or SIGKILL with a new start at the end. */
export type ProcessFault = Extract<Fault, { node: number }> & { readonly kind: "pauseDaemon" | "killDaemon" | "pauseReplica" | "killReplica" | "killNode" };

export function isProcessFault(fault: Fault): fault is ProcessFault {
  return fault.kind === "pauseDaemon" || fault.kind === "killDaemon" || fault.kind === "pauseReplica" || fault.kind === "killReplica" || fault.kind === "killNode";
}

export interface PlannedFault {
  /** From the start of the run. */
  readonly startMs: number;
  readonly endMs: number;
  readonly fault: Fault;
}

/** As it stands in the timeline. */
export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case "cut": return `cut node ${fault.node}`;
    case "split": return `split ${fault.side.join(",")} | ${fault.rest.join(",")}`;
    case "block": return `block ${fault.from} -> ${fault.to}`;
    case "partialCut": return `partial cut ${fault.between.join(" | ")}`;
    case "loss": return `loss ${fault.percent} %`;
    case "powerLoss": return "power loss";
    case "pauseDaemon": return `pause daemon ${fault.node}`;
    case "killDaemon": return `kill daemon ${fault.node}`;
    case "pauseReplica": return `pause replica ${fault.node}`;
    case "killReplica": return `kill replica ${fault.node}`;
    case "killNode": return `kill node ${fault.node}`;
    default: return fault satisfies never;
  }
}
