/** The replicated machine of the lock service: its commands under their names. */
import { defineMachine, type Context, type Draft, type MembersChange, type Replica } from "@lockstep/framework";
import type {
  AcquireInput, CancelInput, CloseSessionInput, ConvertInput, ForceReleaseInput, OpenSessionInput, OpenSessionResult, ProclaimInput, ReleaseInput, RenewSessionsInput,
  RenewSessionsResult, RequestState, SessionEnd,
} from "./inputs.js";
import { initialState, type LockState } from "./state.js";

export type { LockState } from "./state.js";

export interface CloseSessionResult {
  /** False: it was over before; `reason` says why, null if nobody knows. */
  readonly closed: boolean;
  readonly reason: SessionEnd | null;
  readonly revision: number;
}

export interface ForceReleaseResult {
  /** Grants that were taken. */
  readonly released: number;
  /** Whose they were. */
  readonly sessions: readonly string[];
  readonly revision: number;
}

const unwritten = (): never => {
  throw new Error("not written yet");
};

export const lockMachine = defineMachine({
  name: "lockstep-lock",
  version: 1,
  initialState,
  commands: (command) => ({
    openSession: command((_draft: Draft<LockState>, _input: OpenSessionInput, _context: Context): OpenSessionResult => unwritten()),
    renewSessions: command((_draft: Draft<LockState>, _input: RenewSessionsInput, _context: Context): RenewSessionsResult => unwritten()),
    closeSession: command((_draft: Draft<LockState>, _input: CloseSessionInput, _context: Context): CloseSessionResult => unwritten()),
    acquire: command((_draft: Draft<LockState>, _input: AcquireInput, _context: Context): RequestState => unwritten()),
    convert: command((_draft: Draft<LockState>, _input: ConvertInput, _context: Context): RequestState => unwritten()),
    release: command((_draft: Draft<LockState>, _input: ReleaseInput, _context: Context): RequestState => unwritten()),
    cancel: command((_draft: Draft<LockState>, _input: CancelInput, _context: Context): RequestState => unwritten()),
    proclaim: command((_draft: Draft<LockState>, _input: ProclaimInput, _context: Context): RequestState => unwritten()),
    forceRelease: command((_draft: Draft<LockState>, _input: ForceReleaseInput, _context: Context): ForceReleaseResult => unwritten()),
    expireDue: command((_draft: Draft<LockState>, _input: unknown, _context: Context): null => unwritten()),
  }),
  // Reading is done on the whole state, which is immutable: one linearizable query can then serve many reads.
  queries: { current: (state: LockState) => state },
  onMembersChanged: (_draft: Draft<LockState>, _change: MembersChange): void => unwritten(),
});

export type LockReplica = Replica<LockState, typeof lockMachine.commands, typeof lockMachine.queries>;
