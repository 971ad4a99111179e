/** Fragments: whole messages come out, in order, however small the pieces and however the senders interleave. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fragment, Reassembler } from "../../src/codec/fragments.js";
import { protocolVersion, kinds } from "../../src/codec/message-codec.js";
import { isLockstepError } from "../../src/errors.js";

/** Reassemblers look at the first two bytes only. */
const messageBytes = fc.uint8Array({ minLength: 2, maxLength: 500 }).map((bytes) => {
  bytes[0] = protocolVersion;
  bytes[1] = kinds.control;
  return bytes;
});

describe("fragments", () => {
  it("of several senders, interleaved, become their messages again", () => {
    const senders = fc.array(fc.array(messageBytes, { maxLength: 5 }), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(senders, fc.integer({ min: 15, max: 600 }), fc.infiniteStream(fc.nat()), (bySender, maxMessageBytes, choices) => {
      const queues = bySender.map((messages) => messages.flatMap((message, id) => Array.from(fragment(message, maxMessageBytes, id))));
      const received = bySender.map((): Uint8Array[] => []);
      const reassembler = new Reassembler(10_000);
      for (let left = queues.flat().length; left > 0; left--) {
        const waiting = queues.flatMap((queue, sender) => (queue.length > 0 ? [sender] : []));
        const sender = waiting[(choices.next().value ?? 0) % waiting.length] ?? 0;
        const piece = queues[sender]?.shift() as Uint8Array;
        expect(piece.byteLength).toBeLessThanOrEqual(maxMessageBytes);
        const whole = reassembler.accept({ nodeId: sender + 1, pid: 1 }, piece);
        if (whole !== undefined) received[sender]?.push(Uint8Array.from(whole));
      }
      expect(received).toEqual(bySender.map((messages) => messages.map((message) => Uint8Array.from(message))));
    }));
  });

  it("of a message that was cut short do not spoil the sender's next one", () => {
    const reassembler = new Reassembler(10_000);
    const sender = { nodeId: 1, pid: 1 };
    const [first] = fragment(new Uint8Array(100).fill(1), 50, 1);
    expect(reassembler.accept(sender, first as Uint8Array)).toBeUndefined();
    const next = fragment(new Uint8Array(100).fill(2), 50, 2).map((piece) => reassembler.accept(sender, piece));
    expect(next.at(-1)).toEqual(Buffer.alloc(100, 2));
  });

  it("whose beginning came in an earlier view are left out", () => {
    const reassembler = new Reassembler(10_000);
    const sender = { nodeId: 1, pid: 1 };
    const pieces = fragment(new Uint8Array(100).fill(1), 50, 1);
    reassembler.accept(sender, pieces[0] as Uint8Array);
    reassembler.reset();
    expect(pieces.slice(1).map((piece) => reassembler.accept(sender, piece))).toEqual(pieces.slice(1).map(() => undefined));
  });

  it("that announce too much, or come out of order, are malformed, and nothing worse", () => {
    const reassembler = new Reassembler(1_000);
    const sender = { nodeId: 1, pid: 1 };
    expect(() => reassembler.accept(sender, fragment(new Uint8Array(2_000), 500, 1)[0] as Uint8Array)).toThrow("exceeds the limit");
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      try {
        reassembler.accept(sender, Uint8Array.from([protocolVersion, kinds.fragment, ...noise]));
      } catch (error) {
        expect(isLockstepError(error, "MALFORMED_MESSAGE")).toBe(true);
      }
    }), { numRuns: 1_000 });
    const [first, , third] = fragment(new Uint8Array(100), 50, 7);
    reassembler.accept(sender, first as Uint8Array);
    expect(() => reassembler.accept(sender, third as Uint8Array)).toThrow("out of order");
  });
});
