/** The other end of remote-member.ts: drives a transport for a parent process, call by call, over IPC. */
import { isLockstepError } from "@lockstep/framework";
import type { GroupTransport } from "@lockstep/framework";
import { localMember } from "@lockstep/framework/conformance";
import type { MemberAnswer, MemberCall } from "./remote-member.js";

export function serveMember(transport: GroupTransport): void {
  const member = localMember(transport);
  const answer = (message: MemberAnswer): void => { process.send?.(message); };
  const obey = async ({ id, method, args }: MemberCall): Promise<void> => {
    const run = member[method].bind(member) as (...args: readonly unknown[]) => Promise<unknown>;
    try {
      answer({ id, value: await run(...args) });
    } catch (error) {
      answer({ id, error: describeError(error) });
    }
  };
  process.on("message", (message) => { void obey(message as MemberCall); });
  // The parent is gone: nobody will ask again.
  process.on("disconnect", () => { process.exit(0); });
}

function describeError(error: unknown): NonNullable<MemberAnswer["error"]> {
  if (isLockstepError(error)) return { code: error.code, message: error.message };
  return { code: undefined, message: error instanceof Error ? error.stack ?? error.message : JSON.stringify(error) };
}
