import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Client } from "../support/client.js";
import { Daemon } from "../support/daemon.js";

let daemon: Daemon;
let client: Client;

beforeAll(async () => {
  daemon = await Daemon.start();
  client = new Client(daemon);
});

afterAll(async () => {
  await client?.kill();
  await daemon?.stop();
});

describe("cpg", () => {
  test("delivers the join, the initial ring and the own messages, in this order", async () => {
    const { events, local } = await client.run(async ({ record, until }) => {
      const { cpg, events, texts } = await record();
      await cpg.join("order");
      for (const text of ["a", "", "c"]) cpg.multicast(Buffer.from(text));
      await until(() => texts().length === 3);
      const local = cpg.local;
      await cpg.leave();
      return { events, local };
    });
    expect(local.nodeId).toBe(7);
    expect(events.map((event) => event.kind)).toEqual(["change", "ring", "message", "message", "message", "change"]);
    expect(events[0]).toMatchObject({ members: [local], joined: [{ ...local, reason: "join" }], left: [] });
    expect(events[1]).toMatchObject({ nodes: [7] });
    expect(events[5]).toMatchObject({ members: [], left: [{ ...local, reason: "leave" }] });
  });
});
