/** Any batch, as the addon lays it out: the messages one behind the other, then their index, then memory that is not in use. Needs no Corosync. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MessageBatch } from "../lib/message-batch.js";

interface Message {
  readonly data: Uint8Array;
  readonly nodeId: number;
  readonly pid: number;
}

const wordBytes = 4;
const word = fc.nat(0xffff_ffff);
const message: fc.Arbitrary<Message> = fc.record({ data: fc.uint8Array({ maxLength: 40 }), nodeId: word, pid: word });

function layOut(messages: readonly Message[], unusedWords: number): { words: Uint32Array; indexOffset: number } {
  const dataBytes = messages.reduce((sum, { data }) => sum + data.length, 0);
  const indexOffset = Math.ceil(dataBytes / wordBytes) * wordBytes;
  const words = new Uint32Array(indexOffset / wordBytes + messages.length * 4 + unusedWords);
  let offset = 0;
  messages.forEach(({ data, nodeId, pid }, i) => {
    new Uint8Array(words.buffer).set(data, offset);
    words.set([offset, data.length, nodeId, pid], indexOffset / wordBytes + i * 4);
    offset += data.length;
  });
  return { words, indexOffset };
}

const headOf = (batch: MessageBatch, i: number): Omit<Message, "data"> & { bytes: number } => ({ bytes: batch.size(i), nodeId: batch.senderNodeId(i), pid: batch.senderPid(i) });

test("every message of a batch is as it was sent; what was asked for stays so when the memory is used again, and the rest of a batch of which nothing was is gone", () => {
  fc.assert(fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), fc.nat(200), fc.array(fc.nat(11)), (messages, unusedWords, wanted) => {
    const { words, indexOffset } = layOut(messages, unusedWords);
    const batch = new MessageBatch(words, indexOffset, messages.length);
    const heads = messages.map(({ data, nodeId, pid }) => ({ bytes: data.length, nodeId, pid }));
    expect(messages.map((_, i) => headOf(batch, i))).toEqual(heads);
    const asked = wanted.filter((i) => i < messages.length).map((i) => ({ i, data: batch.data(i) }));
    if (batch.release()) words.fill(0xffff_ffff);
    for (const { i, data } of asked) expect(data).toEqual(messages[i]?.data);
    if (asked.length === 0) {
      for (const read of [() => batch.data(0), () => batch.size(0)]) expect(read).toThrow(/this batch is over/);
    } else {
      expect(messages.map((_, i) => headOf(batch, i))).toEqual(heads);
      expect(messages.map((_, i) => batch.data(i))).toEqual(messages.map(({ data }) => data));
    }
    for (const none of [-1, 0.5, messages.length]) expect(() => batch.size(none)).toThrow(`no message ${none} in a batch of ${messages.length}`);
  }));
});
