/** The replicated machine of the lock service: its commands under their names. */
import { defineMachine, type Replica } from "@lockstep/framework";
import { acquire } from "./acquire.js";
import { convert } from "./convert.js";
import { kv, openKeySession } from "./keys-command.js";
import { cancel, forceRelease, proclaim, release } from "./release.js";
import { closeSession, openSession, renewSessions } from "./sessions.js";
import { initialState, type LockState } from "./state.js";
import { expireDue, membersChanged } from "./work.js";

export type { ForceReleaseResult } from "./release.js";
export type { CloseSessionResult } from "./sessions.js";
export type { LockState } from "./state.js";

/**
 * acquire, convert, release, cancel and proclaim of a session that is over answer with a refusal, SESSION_OVER; they reject what is wrong
 * about the command itself (LockRejection). No validators: the server has parsed every input already.
 */
export const lockMachine = defineMachine({
  name: "lockstep-lock",
  version: 1,
  initialState,
  commands: (command) => ({
    openSession: command(openSession),
    renewSessions: command(renewSessions),
    closeSession: command(closeSession),
    acquire: command(acquire),
    convert: command(convert),
    release: command(release),
    cancel: command(cancel),
    proclaim: command(proclaim),
    forceRelease: command(forceRelease),
    kv: command(kv),
    openKeySession: command(openKeySession),
    expireDue: command(expireDue),
  }),
  // Reading is done on the whole state, which is immutable: one linearizable query can then serve many reads.
  queries: { current: (state: LockState) => state },
  onMembersChanged: membersChanged,
});

export type LockReplica = Replica<LockState, typeof lockMachine.commands, typeof lockMachine.queries>;
