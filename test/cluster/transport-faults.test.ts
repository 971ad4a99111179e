/** The clustered transport where the daemon, or its listener, does not do its part: one real node, programs beside it. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { findTool } from "./available.js";
import { quickTotem } from "./corosync-conf.js";
import { useCluster } from "./use-cluster.js";

// With udpu a daemon's messages to itself are packets too, so that a single one can be without a ring.
const cluster = useCluster({ nodes: 1, totem: { ...quickTotem, transport: "udpu" } });
const preamble = `
  import { setTimeout as sleep } from "node:timers/promises";
  import { corosync } from "@lockstep/framework";
  import { Cpg, CorosyncError, Quorum, Votequorum } from "@lockstep/corosync";
  const silent = { deliver() {}, configurationChanged() {}, ringChanged() {}, quorumChanged() {}, writable() {}, closed() {} };
`;

/** Runs a program beside the daemon to its end; what it printed. */
async function run(program: string): Promise<string[]> {
  const child = cluster().node(1).spawn(process.execPath, ["--input-type=module", "-e", preamble + program], { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout === null) throw new Error("its output is a pipe");
  const [printed] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return printed.trimEnd().split("\n");
}

it("join() gives up after patienceMs where the daemon takes the join and its ring cannot form, and works again when it can", async () => {
  await cluster().node(1).namespace.run("iptables", ["-A", "OUTPUT", "-p", "udp", "-j", "DROP"]);
  const joining = `
    const transport = corosync({ patienceMs: 1500 });
    const from = performance.now();
    await transport.join("no-ring", silent).then(() => console.log("joined"), (error) => console.log(error.code, error.message));
    console.log(performance.now() - from >= 1500 ? "waited" : "did not wait");
    await transport.close();
  `;
  const [failure, waited] = await run(joining);
  expect(failure).toMatch(/^COROSYNC_UNAVAILABLE .*patienceMs.*corosync-cfgtool -s/);
  expect(waited).toBe("waited");
  await cluster().heal();
  await cluster().waitForRing([1]);
  expect(await run(`
    const transport = corosync();
    const members = new Promise((resolve) => {
      void transport.join("no-ring", { ...silent, configurationChanged: (change) => resolve(change.members.length) });
    });
    console.log("members", await members);
    await transport.close();
  `)).toEqual(["members 1"]);
});

it("join() and queries give up after patienceMs where the daemon stands still, and leave the process free to end", async () => {
  await cluster().node(1).pauseDaemon();
  expect(await run(`
    const transport = corosync({ patienceMs: 100, farewellMs: 100 });
    for (const ask of [() => transport.configuredNodes(), () => transport.localNode(), () => transport.join("frozen", silent)]) {
      await ask().then(() => console.log("answered"), (error) => console.log(error.code, /within patienceMs \\(100 ms\\)/.test(error.message)));
    }
  `)).toEqual(["COROSYNC_UNAVAILABLE true", "COROSYNC_UNAVAILABLE true", "COROSYNC_UNAVAILABLE true"]);
});

it("join() says that the daemon has gone when it goes while joining, in whichever step that is found", async () => {
  expect(await run(`
    const { open } = Cpg;
    let cpg;
    Cpg.open = async (options) => (cpg = await open.call(Cpg, options));
    const { trackStart } = Quorum.prototype;
    Quorum.prototype.trackStart = async function () {
      process.kill(cpg.daemonPid, "SIGKILL");
      while (!cpg.closed || !this.closed) await sleep(1);
      return trackStart.call(this);
    };
    await corosync().join("gone", silent).then(() => console.log("joined"), (error) => console.log(error.code, error.message));
  `)).toEqual([expect.stringMatching(/^COROSYNC_UNAVAILABLE .*systemctl start corosync/)]);
});

it("a listener that throws when it is told of the end does not keep its member in the group, where libquorum ended first", async () => {
  expect(await run(`
    const open = Quorum.open;
    let libquorum;
    Quorum.open = (options) => open.call(Quorum, { ...options, listener: (libquorum = options.listener) });
    const transport = corosync();
    await transport.join("thrown", { ...silent, closed() { throw new Error("the listener's"); } });
    const other = await Cpg.open({ listener: { messages() {}, configurationChanged() {}, ringChanged() {}, ended() {} } });
    console.log("members", (await other.members("thrown")).length);
    try {
      libquorum.ended(new CorosyncError("LIBRARY", "quorum_dispatch"));
    } catch (error) {
      console.log("threw", error.message);
    }
    const until = performance.now() + 60_000;
    while ((await other.members("thrown")).length > 0 && performance.now() < until) await sleep(5);
    console.log("members", (await other.members("thrown")).length);
    process.exit();
  `)).toEqual(["members 1", "threw the listener's", "members 0"]);
});

it("tells of quorum without votes while they cannot be read, and with them as soon as they can be", async () => {
  expect(await run(`
    const info = Votequorum.prototype.info;
    let failing = 3;
    Votequorum.prototype.info = async function (node) {
      if (failing-- > 0) throw new CorosyncError("NO_MEMORY", "votequorum_getinfo");
      return info.call(this, node);
    };
    const transport = corosync();
    await new Promise((resolve) => {
      void transport.join("votes", { ...silent, quorumChanged(quorate, ring, votes) {
        console.log(quorate, votes === undefined ? "unknown" : JSON.stringify({ ...votes, votes: [...votes.votes] }));
        if (votes !== undefined) resolve();
      } });
    });
    await transport.close();
  `)).toEqual(["true unknown", `true {"votes":[[1,1]],"deviceVotes":0,"quorum":1,"twoNode":false,"shrinks":false}`]);
});

it("join() refuses a daemon that is too old to be trusted with messages, and says what to upgrade to", async () => {
  const { namespace } = cluster().node(1);
  const restart = async (): Promise<void> => {
    await cluster().node(1).killDaemon();
    cluster().node(1).startDaemon();
    await cluster().waitForRing([1]);
  };
  const joining = `
    const transport = corosync();
    await transport.join("age", silent).then(() => console.log("joined"), (error) => console.log(error.code, error.message));
    await transport.close();
  `;
  const installed = findTool("corosync") ?? "";
  const [version = ""] = (await namespace.run(installed, ["-v"])).match(/\d+\.\d+\.\d+/) ?? [];
  const directory = mkdtempSync(join(tmpdir(), "lockstep-old-corosync-"));
  try {
    // The daemon that is installed, which says that it is another.
    const old = "3.1.5".padEnd(version.length, "\0");
    writeFileSync(join(directory, "corosync"), readFileSync(installed, "latin1").replaceAll(`\0${version}\0`, `\0${old}\0`), { encoding: "latin1", mode: 0o755 });
    await namespace.run("mount", ["--bind", join(directory, "corosync"), installed]);
    try {
      await restart();
      expect(await run(joining)).toEqual([expect.stringMatching(/^COROSYNC_UNAVAILABLE .*version 3\.1\.5.*TOO_OLD.*Upgrade Corosync to 3\.1\.6/)]);
    } finally {
      await namespace.run("umount", ["--lazy", installed]);
    }
    await restart();
    expect(await run(joining)).toEqual(["joined"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
