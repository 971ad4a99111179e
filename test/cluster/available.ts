/** Whether clusters can be made on this machine, and if not, what to do about it. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const tools = [
  { command: "corosync", package: "corosync" },
  { command: "corosync-quorumtool", package: "corosync" },
  { command: "ip", package: "iproute2" },
  { command: "iptables-restore", package: "iptables" },
  { command: "unshare", package: "util-linux" },
  { command: "nsenter", package: "util-linux" },
  { command: "setpriv", package: "util-linux" },
] as const;

/** Undefined if `Cluster.start()` can work here, else the reason why not with what to do, for people. */
export function corosyncAvailable(): string | undefined {
  if (process.platform !== "linux") return `Corosync runs on Linux only; this is ${process.platform}.`;
  const missing = [...new Set(tools.filter(({ command }) => findTool(command) === undefined).map((tool) => tool.package))];
  if (missing.length > 0) return `Not installed: ${missing.join(", ")}. On Debian or Ubuntu: apt-get install ${missing.join(" ")}`;
  if (process.getuid?.() !== 0) return "Making network namespaces needs root: run this as root, for example with sudo.";
  const attempt = spawnSync("unshare", ["--net", "--mount", "true"], { encoding: "utf8", timeout: 10_000 });
  if (attempt.status !== 0) {
    return `This machine does not let root make namespaces (${attempt.stderr.trim() || String(attempt.error)}). In a container, start it with --privileged.`;
  }
  return undefined;
}

/** Root's tools are not in everyone's PATH. */
export const toolPath = [process.env["PATH"] ?? "", "/usr/sbin", "/sbin"].join(delimiter);

/** Undefined: there is none. */
export function findTool(command: string): string | undefined {
  return toolPath.split(delimiter).map((directory) => join(directory, command)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
