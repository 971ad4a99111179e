/** The operator's end of `control`: asks the replica that runs on a directory. */
import { connect } from "node:net";
import { LockstepError, errorRegistry, type ErrorCode } from "../errors.js";
import { withSocketPath } from "../log/local-socket.js";
import { parseAnswer, socketName, type ControlAnswers, type ControlRequest } from "./control.js";

/** What needs no writing is answered at once by a process that lives. */
const patienceMs = 10_000;

/** @throws LockstepError OPERATION_REFUSED if no replica runs there, and what the replica answers. */
export async function askReplica<R extends ControlRequest>(directory: string, request: R): Promise<ControlAnswers[R["command"]]> {
  const line = await withSocketPath(directory, socketName, (path) => exchange(path, `${JSON.stringify(request)}\n`, request.command === "backup" ? 0 : patienceMs)).catch((error: unknown) => { throw unreachable(directory, error); });
  const answer = parseAnswer(line);
  if (answer === undefined) throw new LockstepError("OPERATION_REFUSED", `The replica that runs on ${directory} stopped before it had answered. Look into its log${request.command === "backup" ? `, and whether ${request.to} is there: if it is, it is whole` : ""}.`);
  if ("ok" in answer) return answer.ok as ControlAnswers[R["command"]];
  const { code, message } = answer.error;
  throw new LockstepError(code in errorRegistry ? (code as ErrorCode) : "OPERATION_REFUSED", message);
}

/** @param timeoutMs 0: none. */
function exchange(path: string, request: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(path);
    let received = "";
    connection.setEncoding("utf8");
    connection.on("connect", () => connection.write(request));
    connection.on("data", (data: string) => { received += data; });
    connection.setTimeout(timeoutMs, () => {
      connection.destroy();
      reject(new LockstepError("OPERATION_REFUSED", `The replica has not answered for ${timeoutMs / 1_000} s: its process is frozen, or very busy. Look at it with the tools of the system (ps, top); the others do not wait for it.`));
    });
    connection.on("close", () => resolve(received));
    connection.on("error", (error: NodeJS.ErrnoException) => {
      // A replica that stops meanwhile breaks the connection; one that was never reached is another matter.
      if (error.syscall === "connect") reject(error);
    });
  });
}

function unreachable(directory: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") {
    return new LockstepError("OPERATION_REFUSED", `No replica runs on ${directory}. "lockstep inspect" tells what is in a directory while nobody uses it; "lockstep backup" and "lockstep status" ask the replica that runs on it.`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") return new LockstepError("OPERATION_REFUSED", `The replica that runs on ${directory} may not be asked by this user: do it as the one that runs it, or as root.`, { cause: error });
  return error;
}
