/** The outbox: everything in order, whatever the transport takes when; what belongs to a view can be withdrawn. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../src/codec/message-codec.js";
import { encodeCommands } from "../../src/codec/entry-codec.js";
import { Reassembler } from "../../src/codec/fragments.js";
import type { Message } from "../../src/core/messages.js";
import { LockstepError } from "../../src/errors.js";
import { Outbox } from "../../src/submit/outbox.js";

const ballot = { era: 0, ringSeq: 4n, ringNode: 1, k: 1, attempt: 0 };
const point = { position: 1, hash: "0".repeat(32) };
const ack = (n: number): Message => ({ type: "ack", ballot, point, ack: n });
const rejoin = (n: number): Message => ({ type: "rejoin", configuration: String(n), reason: "x".repeat(n % 90) });

/** Takes as many messages as it has room for. */
class Room {
  readonly maxMessageBytes = 80;
  readonly taken: Uint8Array[] = [];
  left = 0;

  multicast(message: Uint8Array): "queued" | "busy" {
    if (this.left === 0) return "busy";
    this.left--;
    this.taken.push(message);
    return "queued";
  }

  get messages(): string[] {
    const reassembler = new Reassembler(10_000);
    return this.taken.flatMap((data) => {
      const whole = reassembler.accept({ nodeId: 1, pid: 1 }, data);
      if (whole === undefined) return [];
      const message = decodeMessage(whole);
      return message.type === "ack" ? `ack ${message.ack}` : message.type === "rejoin" ? `rejoin ${message.configuration}` : [];
    });
  }
}

describe("the outbox", () => {
  it("keeps the order, whenever the transport is busy", () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.record({ send: fc.constantFrom("ack" as const, "rejoin" as const) }), fc.record({ room: fc.nat({ max: 4 }) })), { maxLength: 40 }), (history) => {
      const room = new Room();
      const outbox = new Outbox(room);
      const sent: string[] = [];
      for (const step of history) {
        if ("room" in step) {
          room.left = step.room;
          outbox.flush();
        } else {
          outbox.send(step.send === "ack" ? ack(sent.length) : rejoin(sent.length));
          sent.push(`${step.send} ${sent.length}`);
        }
      }
      room.left = 1_000;
      outbox.flush();
      expect(room.messages).toEqual(sent);
      expect(outbox.blocked).toBe(false);
    }));
  });

  it("withdraws what belongs to the view, and only that; what is cut short is understood", () => {
    const room = new Room();
    const outbox = new Outbox(room);
    outbox.send(ack(1));
    outbox.send(rejoin(89));
    outbox.send({ type: "chunk", ballot, to: 2, turn: 0, index: 0, payload: new Uint8Array(500) });
    outbox.send(rejoin(2));
    room.left = 5;
    outbox.flush();
    outbox.withdrawView();
    outbox.send(ack(3));
    room.left = 1_000;
    outbox.flush();
    expect(room.messages).toEqual(["ack 1", "rejoin 89", "rejoin 2", "ack 3"]);
  });

  it("withdraws every kind of message that means something in its view only", () => {
    const room = new Room();
    const outbox = new Outbox(room);
    const record = encodeCommands({ origin: { slot: 1, incarnation: "00000001000000aa" }, n: 1, timeMs: 1 }, []);
    const ofView: readonly Message[] = [
      { type: "batch", ballot, point, ack: 1, record }, ack(1), { type: "chunk", ballot, to: 2, turn: 0, index: 0, payload: new Uint8Array(9) },
      { type: "needSync", ballot, turn: 0, have: [point], reach: 1 }, { type: "askTime", view: ballot, question: 1 }, { type: "tellTime", view: ballot, to: 2, question: 1, timeMs: 1 },
    ];
    for (const message of ofView) outbox.send(message);
    expect(outbox.blocked).toBe(true);
    outbox.withdrawView();
    expect(outbox.blocked).toBe(false);
  });

  it("asks a transport that is busy no more before that has said that it has room", () => {
    let asked = 0;
    const outbox = new Outbox({ maxMessageBytes: 100, multicast: () => { asked++; return "busy"; } });
    for (let n = 0; n < 5; n++) outbox.send(ack(n));
    expect(asked).toBe(1);
    outbox.flush();
    expect(asked).toBe(2);
  });

  it("is silent when the group is gone, and throws what is not about that", () => {
    const gone = new Outbox({ maxMessageBytes: 100, multicast: () => { throw new LockstepError("TRANSPORT_CLOSED", "gone"); } });
    gone.send(ack(1));
    gone.send(ack(2));
    expect(gone.blocked).toBe(false);
    const broken = new Outbox({ maxMessageBytes: 100, multicast: () => { throw new TypeError("a bug"); } });
    expect(() => broken.send(ack(1))).toThrow(TypeError);
  });
});
