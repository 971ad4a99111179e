/** What a command gets while the replica cannot serve it: at once, so that clients turn elsewhere. */
import type { CommandKind } from "../commands/spec.js";
import type { Service } from "./service.js";
import type { ServingRole } from "./standing.js";

const noQuorum = "CLUSTERDOWN no quorum, the command was not run";

const refusals: Readonly<Record<ServingRole, string | undefined>> = {
  active: undefined,
  // Soon over: what is asked meanwhile waits for it.
  changing: undefined,
  joining: "LOADING this replica is joining its group; try again, or another replica",
  synchronising: "LOADING this replica is taking in the group's data; try again, or another replica",
  minority: noQuorum,
  lost: noQuorum,
  stopped: "CLUSTERDOWN this replica has stopped, the command was not run; use another replica",
};

/** The error reply, or undefined if the command may be tried. */
export function refusal({ replica, standing, reads }: Pick<Service, "replica" | "standing" | "reads">, kind: CommandKind): string | undefined {
  if (kind === "local") return undefined;
  const { role } = standing;
  if (role !== "minority" && role !== "lost") return refusals[role];
  // What was applied may be read by who has chosen to read the past.
  if (kind === "read" && reads === "sequential") return undefined;
  const { reason } = replica.inspect();
  return reason === undefined ? refusals[role] : `${refusals[role]}: ${reason}`;
}
