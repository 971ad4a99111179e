/** A request as its client is told of it: by the commands about it, and by views.ts. */
import type { GrantedLock, RequestState } from "./inputs.js";
import type { LockRow, RequestRow } from "./state.js";

/** What the answer needs of the rest of the state. */
export interface Surroundings {
  valueBlock(lock: string): LockRow["valueBlock"];
  ahead(row: RequestRow): number;
}

export function stateOf(row: RequestRow, around: Surroundings): RequestState {
  if (row.status === "granted") return { status: "granted", token: row.token, locks: grantedLocks(row, around), revision: row.revision };
  if (row.status === "waiting") return { status: "waiting", ahead: around.ahead(row), deadline: row.deadline, revision: row.revision };
  if (row.refusal === null) throw new Error("a request is refused without a refusal");
  return { status: "refused", refusal: row.refusal };
}

function grantedLocks({ wants }: RequestRow, around: Surroundings): GrantedLock[] {
  return wants.map((want) => ({
    lock: want.lock,
    mode: "mode" in want ? want.mode : null,
    permits: "permits" in want ? want.permits : null,
    valueBlock: around.valueBlock(want.lock),
  }));
}
