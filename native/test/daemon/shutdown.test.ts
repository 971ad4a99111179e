/** Who is asked before a daemon shuts down, and whose answer counts. Each test has a daemon to end. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../support/client.js";
import { useDaemon } from "../support/use-daemon.js";

/** Opens a handle that wants to be asked and answers so; resolves with its node's id. */
function wantToBeAsked(service: Client, answer: "yes" | "no"): Promise<number> {
  return service.run(async ({ corosync, kept }, answer) => {
    const heard: string[] = [];
    const cfg = await corosync.Cfg.open({
      listener: {
        shutdownRequested: (kind) => {
          heard.push(kind);
          cfg.replyToShutdown(answer).catch(() => undefined);
        },
        ended: (error) => heard.push(error.code),
      },
    });
    await cfg.trackStart();
    kept["cfg"] = cfg;
    kept["heard"] = heard;
    return cfg.localNodeId();
  }, answer);
}

/** What the service has heard when the daemon has gone. */
function heardToTheEnd(service: Client): Promise<string[]> {
  return service.run(async ({ kept, until }) => {
    const heard = kept["heard"] as string[];
    await until(() => heard.includes("LIBRARY"));
    return heard;
  });
}

/** "stopped", or the code of the refusal. The daemon may be gone before it has answered: then LIBRARY. */
function shutDown(admin: Client, kind: "request" | "regardless" | "immediate"): Promise<string> {
  return admin.run(async ({ corosync }, kind) => {
    const cfg = await corosync.Cfg.open({ listener: { shutdownRequested: () => undefined, ended: () => undefined } });
    const answer = await cfg.tryShutdown(kind).then(() => "stopped", (error: { code: string }) => error.code);
    await cfg.close();
    return answer;
  }, kind);
}
const stopped = /^(stopped|LIBRARY)$/;

describe("a service that wants to be asked", () => {
  const fixture = useDaemon();
  beforeEach(async () => {
    await fixture.daemon.kill();
    await fixture.daemon.run();
  });

  test("is asked before a requested shutdown: its no prevents it, its yes lets it happen", async () => {
    const [service, admin] = [fixture.client(), fixture.client()];
    expect(await wantToBeAsked(service, "no")).toBe(7);
    expect(await shutDown(admin, "request")).toBe("BUSY");
    expect(await service.run(async ({ kept }) => {
      await (kept["cfg"] as { close(): Promise<void> }).close();
      return kept["heard"];
    })).toEqual(["request"]);
    await wantToBeAsked(service, "yes");
    expect(await shutDown(admin, "request")).toMatch(stopped);
    expect(await heardToTheEnd(service)).toEqual(["request", "LIBRARY"]);
    expect(await fixture.daemon.ended()).toBe(0);
  });

  test("is told of one regardless of answers, and its no does not prevent it", async () => {
    const [service, admin] = [fixture.client(), fixture.client()];
    await wantToBeAsked(service, "no");
    expect(await shutDown(admin, "regardless")).toMatch(stopped);
    expect(await heardToTheEnd(service)).toEqual(["regardless", "LIBRARY"]);
    expect(await fixture.daemon.ended()).toBe(0);
  });

  test("is not told of an immediate one but by its end", async () => {
    const [service, admin] = [fixture.client(), fixture.client()];
    await wantToBeAsked(service, "no");
    expect(await shutDown(admin, "immediate")).toMatch(stopped);
    expect(await heardToTheEnd(service)).toEqual(["LIBRARY"]);
    expect(await fixture.daemon.ended()).toBe(0);
  });

  test("is no longer asked after trackStop(), and then does not prevent it", async () => {
    const [service, admin] = [fixture.client(), fixture.client()];
    await wantToBeAsked(service, "no");
    expect(await shutDown(admin, "request")).toBe("BUSY");
    await service.run(({ kept }) => (kept["cfg"] as import("../../lib/index.js").Cfg).trackStop());
    expect(await shutDown(admin, "request")).toMatch(stopped);
    expect(await heardToTheEnd(service)).toEqual(["request", "LIBRARY"]);
    expect(await fixture.daemon.ended()).toBe(0);
  });

  test("is asked for one shutdown at a time: a second request is EXIST meanwhile; an answer that nobody waits for resolves all the same", async () => {
    const [service, first, second] = [fixture.client(), fixture.client(), fixture.client()];
    // Corosync waits five seconds for an answer: the second must not have to start meanwhile.
    await second.run(() => undefined);
    await service.run(async ({ corosync, kept }) => {
      kept["heard"] = [];
      const cfg = await corosync.Cfg.open({ listener: { shutdownRequested: (kind) => void (kept["heard"] as string[]).push(kind), ended: () => undefined } });
      await cfg.trackStart();
      kept["cfg"] = cfg;
    });
    const answer = shutDown(first, "request");
    await service.run(({ kept, until }) => until(() => (kept["heard"] as string[]).length === 1));
    expect(await shutDown(second, "request")).toBe("EXIST");
    const say = (word: "yes" | "no"): Promise<void> => service.run(({ kept }, word) => (kept["cfg"] as import("../../lib/index.js").Cfg).replyToShutdown(word), word);
    await say("no");
    expect(await answer).toBe("BUSY");
    await say("yes");
  });
});
