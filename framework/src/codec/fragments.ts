/**
 * Messages above the transport's size, in pieces.
 *
 *   version u8 | kind u8 | message id u32 | index u32 | total bytes u32 | piece              (little-endian)
 *
 * Pieces of one message are multicast without other messages of the sender between them. A message whose pieces are
 * split by a configuration change is dropped by everybody alike: it belonged to a view that is over.
 */
import type { MemberAddress } from "../transport/group-transport.js";
import { malformed } from "./checks.js";
import { kinds, protocolVersion } from "./message-codec.js";

const headerBytes = 14;

/** Yields the message itself if it fits. */
export function fragment(message: Uint8Array, maxMessageBytes: number, messageId: number): readonly Uint8Array[] {
  if (message.byteLength <= maxMessageBytes) return [message];
  const pieceBytes = maxMessageBytes - headerBytes;
  const pieces: Uint8Array[] = [];
  for (let offset = 0; offset < message.byteLength; offset += pieceBytes) {
    const piece = message.subarray(offset, offset + pieceBytes);
    const framed = Buffer.allocUnsafeSlow(headerBytes + piece.byteLength);
    framed[0] = protocolVersion;
    framed[1] = kinds.fragment;
    framed.writeUInt32LE(messageId, 2);
    framed.writeUInt32LE(pieces.length, 6);
    framed.writeUInt32LE(message.byteLength, 10);
    framed.set(piece, headerBytes);
    pieces.push(framed);
  }
  return pieces;
}

interface Partial {
  readonly messageId: number;
  readonly whole: Buffer;
  filled: number;
  nextIndex: number;
}

export class Reassembler {
  readonly #limitBytes: number;
  readonly #partial = new Map<string, Partial>();

  /** @param limitBytes larger messages are refused before anything is allocated for them. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Forgets what is incomplete. */
  reset(): void {
    this.#partial.clear();
  }

  /** The whole message, or undefined while pieces are missing. @throws LockstepError MALFORMED_MESSAGE. */
  accept(sender: MemberAddress, data: Uint8Array): Uint8Array | undefined {
    if (data[1] !== kinds.fragment || data[0] !== protocolVersion) return data;
    if (data.byteLength <= headerBytes) return malformed("a fragment is too short");
    const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const messageId = view.readUInt32LE(2);
    const index = view.readUInt32LE(6);
    const from = `${sender.nodeId}/${sender.pid}`;
    const partial = index === 0 ? this.#start(from, messageId, view.readUInt32LE(10)) : this.#partial.get(from);
    // The rest of a message whose beginning was delivered in an earlier view, or before this member joined.
    if (partial === undefined || partial.messageId !== messageId) return undefined;
    const piece = view.subarray(headerBytes);
    if (partial.nextIndex !== index || partial.filled + piece.byteLength > partial.whole.byteLength) {
      this.#partial.delete(from);
      return malformed("fragments are out of order");
    }
    partial.whole.set(piece, partial.filled);
    partial.filled += piece.byteLength;
    partial.nextIndex++;
    if (partial.filled < partial.whole.byteLength) return undefined;
    this.#partial.delete(from);
    return partial.whole;
  }

  #start(from: string, messageId: number, totalBytes: number): Partial {
    if (totalBytes > this.#limitBytes) return malformed(`a fragmented message of ${totalBytes} bytes exceeds the limit of ${this.#limitBytes}`);
    const partial = { messageId, whole: Buffer.allocUnsafeSlow(totalBytes), filled: 0, nextIndex: 0 };
    this.#partial.set(from, partial);
    return partial;
  }
}
