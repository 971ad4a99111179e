/** Messages as bytes: what goes in comes out, and what is not a message is MALFORMED_MESSAGE, never anything else. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage, encodeMessage } from "../../src/codec/message-codec.js";
import { decodeEntry } from "../../src/codec/entry-codec.js";
import { decodeChunk } from "../../src/sync/chunk.js";
import type { Message } from "../../src/core/messages.js";
import { isLockstepError } from "../../src/errors.js";
import { messages, records } from "../support/arbitraries.js";

/** Buffers and plain byte arrays are the same bytes. */
function comparable(message: Message): unknown {
  return JSON.parse(JSON.stringify(message, (_key, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
    return typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value ? Buffer.from(value.data as number[]).toString("hex") : value;
  }));
}

function malformedOrFine(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!isLockstepError(error, "MALFORMED_MESSAGE")) throw error;
  }
}

describe("messages", () => {
  it("are read as they were written", () => {
    fc.assert(fc.property(messages, (message) => {
      expect(comparable(decodeMessage(encodeMessage(message)))).toEqual(comparable(message));
    }), { numRuns: 500 });
  });

  it("are refused as malformed when they are cut off", () => {
    fc.assert(fc.property(messages, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (message, share) => {
      const encoded = encodeMessage(message);
      const cut = encoded.subarray(0, Math.floor(encoded.byteLength * share));
      // A batch ends with its entry, whose own checks come when it is applied; and it is never shorter than its head.
      malformedOrFine(() => decodeMessage(cut));
      if (message.type !== "batch") expect(() => decodeMessage(cut)).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE" }) as Error);
    }), { numRuns: 500 });
  });

  it("never fail in any other way, whatever byte is wrong", () => {
    fc.assert(fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, difference) => {
      const encoded = Uint8Array.from(encodeMessage(message));
      const place = at % encoded.byteLength;
      encoded[place] = (encoded[place] ?? 0) ^ difference;
      malformedOrFine(() => decodeMessage(encoded));
    }), { numRuns: 2_000 });
  });

  it("never fail in any other way when they are noise", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 5 }), (noise, kind) => {
      malformedOrFine(() => decodeMessage(noise));
      malformedOrFine(() => decodeMessage(Uint8Array.from([1, kind, ...noise])));
      malformedOrFine(() => decodeEntry(noise));
      malformedOrFine(() => decodeChunk(noise));
    }), { numRuns: 2_000 });
  });

  it("carry chunks whose damage is noticed", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), fc.nat(), (payload, at) => {
      const encoded = encodeMessage({ type: "chunk", ballot: { era: 0, ringSeq: 1n, ringNode: 1, k: 1, attempt: 0 }, to: 1, turn: 0, index: 0, payload });
      const place = encoded.byteLength - 1 - (at % payload.byteLength);
      encoded[place] = (encoded[place] ?? 0) ^ 1;
      expect(() => decodeMessage(encoded)).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE" }) as Error);
    }));
  });
});

describe("entries", () => {
  it("are read as they were written", () => {
    fc.assert(fc.property(records, (record) => {
      const entry = decodeEntry(record.bytes);
      expect(entry.n).toBe(record.n);
      expect(entry.origin.incarnation).toBe(record.incarnation);
      for (const command of entry.commands) expect(command.name).toBe("set");
    }));
  });

  it("never fail in any other way than as malformed, whatever byte is wrong", () => {
    fc.assert(fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (record, at, difference) => {
      const bytes = Uint8Array.from(record.bytes);
      const place = at % bytes.byteLength;
      bytes[place] = (bytes[place] ?? 0) ^ difference;
      malformedOrFine(() => decodeEntry(bytes));
    }), { numRuns: 2_000 });
  });
});
