/** A replica of the lock service, as the fleet runs it: what its process answers beyond what the fleet asks. */
import type { ServedProcess } from "../../cluster/served-process.js";
import type { Fleet } from "../fleet.js";
import type { ChaosLockServer } from "./replica.js";

/** The fleet starts any program that can be opened and says its status; this one's other calls are its own. */
export function lockServer(fleet: Fleet, nodeId: number): ServedProcess<ChaosLockServer> | undefined {
  return fleet.life(nodeId)?.process;
}
