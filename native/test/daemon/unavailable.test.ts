/** Machines and users without Corosync: a typed error that says what to do, at first use and not before. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

vi.setConfig({ testTimeout: 30_000 });
const run = promisify(execFile);
const packageUrl = new URL("../../dist/index.js", import.meta.url).href;

/** Opens one of everything and prints the errors as JSON. */
const program = `
  const listener = new Proxy({}, { get: () => () => {} });
  const { Cpg, Quorum, Votequorum, Cmap, Cfg } = await import(${JSON.stringify(packageUrl)});
  const errors = [];
  for (const open of [() => Cpg.open({ listener }), () => Quorum.open({ listener }), () => Votequorum.open(), () => Cmap.open(), () => Cfg.open({ listener })]) {
    await open().then(() => errors.push({ code: "opened" }), ({ code, number, message }) => errors.push({ code, number, message }));
  }
  console.log(JSON.stringify(errors));
  process.exit();
`;

interface Told {
  readonly code: string;
  readonly number: number;
  readonly message: string;
}

async function openAll(prefix: readonly string[]): Promise<Told[]> {
  const [command, ...args] = [...prefix, process.execPath, "--input-type=module", "-e", program];
  const { stdout } = await run(command ?? "", args);
  return JSON.parse(stdout) as Told[];
}

describe("without a running daemon", () => {
  test("everything is refused with LIBRARY, and told to start it", async () => {
    const errors = await openAll(["unshare", "-n"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "LIBRARY 2"));
    for (const { message } of errors) expect(message).toContain("systemctl start corosync");
  });
});

describe("without the client libraries", () => {
  test("everything is refused with NOT_INSTALLED, and told what to install", async () => {
    const hide = `for name in cpg quorum votequorum cmap cfg; do for file in /lib/*/lib$name.so.* /usr/lib/*/lib$name.so.*; do [ -f "$file" ] && mount --bind /dev/null "$file"; done; done; exec "$@"`;
    const errors = await openAll(["unshare", "-m", "sh", "-c", hide, "sh"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "NOT_INSTALLED -2"));
    for (const { message } of errors) expect(message).toContain("apt-get install corosync");
  });
});

describe("without permission", () => {
  const fixture = useDaemon();

  test("everything is refused with ACCESS, and told how to allow the user", async () => {
    const errors = await openAll([...fixture.daemon.enter, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    expect(errors.map(({ code, number }) => `${code} ${number}`)).toEqual(Array.from({ length: 5 }, () => "ACCESS 11"));
    for (const { message } of errors) expect(message).toContain("uidgid");
  });
});

