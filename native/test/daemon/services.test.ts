/** The libraries beside libcpg: quorum, votes, configuration. Shutdown: shutdown.test.ts. */
import { describe, expect, test } from "vitest";
import { useDaemon } from "../support/use-daemon.js";

describe("on a quorate node", () => {
  const fixture = useDaemon();

  test("quorum tells the present state when tracking starts, with ring and members", async () => {
    const result = await fixture.client().run(async ({ corosync, until }) => {
      const news: unknown[] = [];
      const quorum = await corosync.Quorum.open({
        listener: {
          quorumChanged: (quorate, ring, members) => news.push({ quorate, ring, members }),
          nodesChanged: (ring, members, joined, left) => news.push({ ring, members, joined, left }),
          ended: () => news.push("ended"),
        },
      });
      const { provided } = quorum;
      const quorate = await quorum.quorate();
      await quorum.trackStart();
      await until(() => news.length === 2);
      await quorum.trackStop();
      await quorum.close();
      return { provided, quorate, news };
    });
    expect(result).toMatchObject({ provided: true, quorate: true });
    const ring = { nodeId: 7, seq: expect.any(BigInt) };
    expect(result.news).toContainEqual({ quorate: true, ring, members: [7] });
    expect(result.news).toContainEqual({ ring, members: [7], joined: expect.any(Array), left: [] });
  });

  test("votequorum tells votes and flags; an unknown node is NOT_EXIST", async () => {
    const { own, byId, code } = await fixture.client().run(async ({ corosync }) => {
      const votequorum = await corosync.Votequorum.open();
      const code = await votequorum.info(99).then(() => "known", (error: { code?: string }) => error.code);
      return { own: await votequorum.info(), byId: await votequorum.info(7), code };
    });
    expect(own).toMatchObject({ nodeId: 7, state: "member", votes: 1, expectedVotes: 1, totalVotes: 1, quorum: 1, quorate: true, twoNode: false, deviceVotes: 0, deviceCastsVote: false });
    expect(byId).toEqual(own);
    expect(code).toBe("NOT_EXIST");
  });

  test("cmap gives values in their types, undefined for a missing key, and everything below a prefix", async () => {
    const result = await fixture.client().run(async ({ corosync }) => {
      const cmap = await corosync.Cmap.open();
      const stats = await corosync.Cmap.open({ map: "stats" });
      const code = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "resolved", (error: { code?: string }) => error.code);
      return {
        name: await cmap.get("totem.cluster_name"),
        nodeId: await cmap.get("nodelist.node.0.nodeid"),
        token: await cmap.get("totem.token"),
        missing: await cmap.get("no.such.key"),
        nodelist: (await cmap.entries("nodelist.node.0.")).map(({ key }) => key).sort(),
        nothing: await cmap.entries("no.such."),
        all: (await cmap.entries("")).length,
        stats: (await stats.entries("stats.srp.")).filter(({ type }) => type === "uint64").map(({ value }) => typeof value),
        codes: [await code(cmap.get("a\0b")), await code(cmap.get("k".repeat(256))), await code(cmap.get("ab"))],
      };
    });
    expect(result.name).toEqual({ key: "totem.cluster_name", type: "string", value: "native-test" });
    expect(result.nodeId).toEqual({ key: "nodelist.node.0.nodeid", type: "uint32", value: 7 });
    expect(result.token).toEqual({ key: "totem.token", type: "uint32", value: 1000 });
    expect(result.missing).toBeUndefined();
    expect(result.nodelist).toEqual(["nodelist.node.0.name", "nodelist.node.0.nodeid", "nodelist.node.0.ring0_addr"]);
    expect(result.nothing).toEqual([]);
    expect(result.all).toBeGreaterThan(50);
    expect(new Set(result.stats)).toEqual(new Set(["bigint"]));
    expect(result.codes).toEqual(["INVALID_PARAM", "NAME_TOO_LONG", "resolved"]);
  });

  test("the running daemon's version is told by its own executable", async () => {
    const { version, refusal } = await fixture.client().run(async ({ corosync, record }) => {
      const version = (await corosync.daemonVersion((await record()).cpg.daemonPid)) ?? "";
      corosync.assertSafeVersion(version);
      return { version, refusal: await corosync.daemonVersion(0) };
    });
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(refusal).toBeUndefined();
  });
});

describe("on a node that lacks votes", () => {
  const fixture = useDaemon({ quorum: ["expected_votes: 5"] });

  test("quorum is denied, and cpg works all the same: quorum is the application's to check", async () => {
    const result = await fixture.client().run(async ({ corosync, record, until }) => {
      const quorum = await corosync.Quorum.open({ listener: { quorumChanged: () => undefined, ended: () => undefined } });
      const votequorum = await corosync.Votequorum.open();
      const { cpg, texts } = await record();
      await cpg.join("inquorate");
      cpg.multicast(Buffer.from("delivered"));
      await until(() => texts().length === 1);
      return { quorate: await quorum.quorate(), info: await votequorum.info() };
    });
    expect(result.quorate).toBe(false);
    expect(result.info).toMatchObject({ expectedVotes: 5, quorum: 3, totalVotes: 1, quorate: false });
  });
});
