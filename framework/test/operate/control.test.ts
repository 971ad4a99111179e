/** The socket by which operators ask a running replica: it answers one line with one line, and nothing sent to it disturbs the replica. */
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { longestRequestBytes } from "../../src/operate/control.js";
import { askReplica } from "../../src/operate/control-client.js";
import { verifyBackup } from "../../src/operate/verify-backup.js";
import { addAll, Bed } from "./bed.js";

let bed: Bed;
const sockets: Socket[] = [];
beforeEach(() => { bed = new Bed(); });
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await bed.end();
});

function client(): Socket {
  const socket = connect(bed.path("1", "control"));
  socket.on("error", () => undefined);
  sockets.push(socket);
  return socket;
}

/** What comes back until the other end closes. */
async function answerTo(...sent: (string | Buffer)[]): Promise<string> {
  const socket = client();
  let received = "";
  socket.setEncoding("utf8").on("data", (data: string) => { received += data; });
  for (const part of sent) socket.write(part);
  await new Promise((resolve) => { socket.on("close", resolve); });
  return received;
}

describe("a running replica", () => {
  it("tells how it is, and takes backups, when it is asked", async () => {
    const [one] = await bed.startAll();
    await addAll(one, 10);
    const status = await askReplica(bed.path("1"), { command: "status" });
    expect(status).toMatchObject({ group: "counters", slot: 1, role: "active", activeSlots: [1, 2, 3] });
    const plan = await askReplica(bed.path("1"), { command: "planBackup", to: bed.path("a") });
    expect(plan).toMatchObject({ path: bed.path("a"), position: one?.inspect().positions.applied });
    expect(plan.aboutBytes).toBeGreaterThan(0);
    expect(plan.freeBytes).toBeGreaterThan(0);
    expect(existsSync(bed.path("a"))).toBe(false);
    const taken = await askReplica(bed.path("1"), { command: "backup", to: bed.path("a"), by: "ada@desk" });
    expect((await verifyBackup(bed.path("a"))).header).toMatchObject({ point: { position: taken.position, hash: taken.hash }, by: "ada@desk" });
    await expect(askReplica(bed.path("1"), { command: "backup", to: bed.path("a"), by: "ada" })).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("there already") as string });
    await expect(askReplica(bed.path("1"), { command: "backup", to: "relative", by: "ada" })).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });

  it("answers whoever may write to its directory, and nobody else", async () => {
    await bed.start(1);
    expect(statSync(bed.path("1", "control")).mode & 0o777).toBe(0o600);
  });

  it("answers nonsense with an error, cuts its sender off, and goes on", async () => {
    const [one] = await bed.startAll();
    const invalid = expect.stringContaining("INVALID_INPUT") as string;
    expect(await answerTo("\n")).toEqual(invalid);
    expect(await answerTo("not json\n")).toEqual(invalid);
    expect(await answerTo("null\n")).toEqual(invalid);
    expect(await answerTo("{\"command\":\"stop\"}\n")).toEqual(invalid);
    expect(await answerTo("{\"command\":\"backup\",\"to\":7}\n")).toEqual(invalid);
    expect(await answerTo("{\"command\":\"backup\",\"to\":\"/x\\u0000y\",\"by\":\"ada\"}\n")).toEqual(expect.stringContaining("\"error\"") as string);
    expect(await answerTo(Buffer.alloc(longestRequestBytes + 1, 0x61))).toEqual(invalid);
    expect(await answerTo(`{"command":"status"${" ".repeat(longestRequestBytes)}}\n`)).toEqual(invalid);
    expect(await answerTo(Buffer.from([0xff, 0xfe, 0x0a]))).toEqual(invalid);
    // Nobody reads the answers of these, or they go in the middle, or say nothing.
    for (let n = 0; n < 20; n++) {
      client().end("{\"command\":\"sta");
      client();
      const rude = client();
      rude.write("{\"command\":\"status\"}\n", () => rude.destroy());
    }
    expect(await one?.submit.add({ key: "x", by: 1 })).toBe(1);
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect.poll(() => askReplica(bed.path("1"), { command: "status" }).then(({ role }) => role, String)).toBe("active");
  });

  it("stops while somebody is connected, and takes its socket with it", async () => {
    const one = await bed.start(1);
    const idle = client();
    await new Promise((resolve) => { idle.on("connect", resolve); });
    await one.stop();
    expect(readdirSync(bed.path("1"))).toEqual(["data.mdb", "data.mdb-lock"]);
    await expect(askReplica(bed.path("1"), { command: "status" })).rejects.toMatchObject({ code: "OPERATION_REFUSED", message: expect.stringContaining("No replica runs") as string });
    await expect(askReplica(bed.path("missing"), { command: "status" })).rejects.toMatchObject({ code: "OPERATION_REFUSED" });
  });

  it("takes the place of a socket that a killed process left", async () => {
    const one = await bed.start(1);
    await one.stop();
    writeFileSync(bed.path("1", "control"), "");
    await bed.start(1);
    expect(await askReplica(bed.path("1"), { command: "status" })).toMatchObject({ slot: 1 });
  });

  it("says so of a minority: there is nothing to back up that a group stands for", async () => {
    await bed.start(1);
    await expect(askReplica(bed.path("1"), { command: "backup", to: bed.path("a"), by: "ada" })).rejects.toMatchObject({ code: expect.stringMatching(/NOT_PRIMARY|NOT_READY/) as string });
    await expect(askReplica(bed.path("1"), { command: "planBackup", to: bed.path("a") })).rejects.toMatchObject({ code: expect.stringMatching(/NOT_PRIMARY|NOT_READY/) as string });
  });
});
