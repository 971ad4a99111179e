/** Which connections are closed when all together hold too much. */
import { describe, expect, it } from "vitest";
import { ClientMemory, type Holder } from "../../src/server/client-memory.js";

interface Client extends Holder {
  heldBytes: number;
  closed: boolean;
}

function client(heldBytes: number): Client {
  return { heldBytes, closed: false, destroy() { this.closed = true; } };
}

describe("ClientMemory", () => {
  it("closes those that hold most, and no more than are too many", () => {
    const memory = new ClientMemory(50);
    const clients = [client(10), client(25), client(15), client(1)];
    for (const each of clients.slice(0, 3)) memory.changed(each);
    expect(clients.map(({ closed }) => closed)).toEqual([false, false, false, false]);
    memory.changed(clients[3] as Client);
    expect(clients.map(({ closed }) => closed)).toEqual([false, true, false, false]);
    expect([memory.heldBytes, memory.evicted]).toEqual([26, 1]);
  });

  it("closes nobody for bytes that have been taken meanwhile, or went with their connection", () => {
    const memory = new ClientMemory(50);
    const [taken, gone, late] = [client(30), client(20), client(40)];
    for (const each of [taken, gone]) memory.changed(each);
    taken.heldBytes = 0;
    memory.forget(gone);
    memory.changed(late);
    expect([taken, late].map(({ closed }) => closed)).toEqual([false, false]);
    expect([memory.heldBytes, memory.evicted]).toEqual([40, 0]);
  });
});
