/**
 * Bytes of one connection in, requests out: RESP arrays of bulk strings, and inline commands. It holds what is not yet
 * a whole request and knows nothing of commands. Its errors are Redis's own (networking.c: processInlineBuffer,
 * processMultibulkBuffer); after one the stream has no meaning any more.
 *
 * Arguments are latin1 strings: one character per byte, exact for any bytes, and stored by V8 at one byte each.
 */
import { splitInline } from "./inline.js";
import { defaultRequestLimits, type RequestLimits } from "./limits.js";

/** The peer does not speak the protocol. `message` is what Redis says, without "-ERR ". */
export class ProtocolError extends Error {
  constructor(detail: string) {
    super(`Protocol error: ${detail}`);
    this.name = "ProtocolError";
  }
}

const CR = 0x0d;
const LF = 0x0a;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const NOTHING = Buffer.alloc(0);
/** Counted for every argument on top of its bytes, so that a million empty ones are not free. */
const ARGUMENT_OVERHEAD_BYTES = 16;

export class RequestParser {
  readonly #limits: RequestLimits;
  #buffer: Buffer = NOTHING;
  #offset = 0;
  /** Arrived after #buffer; joined to it only when there is enough to go on, so a long argument is copied once. */
  #later: Buffer[] = [];
  #laterBytes = 0;
  /** Nothing can be done with fewer unread bytes than this. */
  #wantedBytes = 1;
  /** The array being read, and how many of its arguments are missing. */
  #arguments: string[] = [];
  #missing = 0;
  #requestBytes = 0;
  /** Length of the bulk string being read, once its header has come. */
  #bulkBytes: number | undefined;

  constructor(limits: RequestLimits = defaultRequestLimits) {
    this.#limits = limits;
  }

  /** Bytes of what has not been given as a request yet. */
  get heldBytes(): number {
    // What is announced of the argument that is coming is not there yet.
    return this.#buffer.length - this.#offset + this.#laterBytes + this.#requestBytes - (this.#bulkBytes ?? 0);
  }

  /** Takes bytes; the buffer must not be written to afterwards. */
  push(chunk: Buffer): void {
    if (this.#offset === this.#buffer.length && this.#laterBytes === 0) {
      this.#buffer = chunk;
      this.#offset = 0;
    } else {
      this.#later.push(chunk);
      this.#laterBytes += chunk.length;
    }
  }

  /**
   * The next whole request, never empty; undefined if more bytes are needed.
   * @throws ProtocolError
   */
  next(): string[] | undefined {
    for (;;) {
      if (!this.#gather()) return undefined;
      if (this.#missing > 0) {
        if (!this.#readArgument()) return undefined;
        if (this.#missing === 0) return this.#finish();
      } else {
        const request = this.#buffer[this.#offset] === ASTERISK ? this.#readArrayHeader() : this.#readInline();
        if (request === undefined) return undefined;
        if (request.length > 0) return request;
      }
    }
  }

  /** Makes the wanted bytes contiguous. False if they have not all arrived. */
  #gather(): boolean {
    const unread = this.#buffer.length - this.#offset;
    if (unread + this.#laterBytes < this.#wantedBytes) return false;
    if (this.#laterBytes > 0) {
      this.#buffer = Buffer.concat([this.#buffer.subarray(this.#offset), ...this.#later], unread + this.#laterBytes);
      this.#offset = 0;
      this.#later = [];
      this.#laterBytes = 0;
    }
    return true;
  }

  #finish(): string[] {
    const request = this.#arguments;
    this.#arguments = [];
    this.#requestBytes = 0;
    return request;
  }

  /** An empty array if there is nothing to run (`*0`), undefined if more bytes are needed. */
  #readArrayHeader(): string[] | undefined {
    const count = this.#readHeader("too big mbulk count string");
    if (count === undefined) return undefined;
    if (Number.isNaN(count) || count > this.#limits.arguments) throw new ProtocolError("invalid multibulk length");
    this.#missing = Math.max(0, count);
    return [];
  }

  /** False if more bytes are needed. */
  #readArgument(): boolean {
    if (this.#bulkBytes === undefined) {
      const first = this.#buffer[this.#offset];
      if (first === undefined) return false;
      if (first !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(first)}'`);
      const length = this.#readHeader("too big bulk count string");
      if (length === undefined) return false;
      if (Number.isNaN(length) || length < 0 || length > this.#limits.bulkBytes) throw new ProtocolError("invalid bulk length");
      this.#requestBytes += length + ARGUMENT_OVERHEAD_BYTES;
      if (this.#requestBytes > this.#limits.requestBytes) throw new ProtocolError(`request of more than ${this.#limits.requestBytes} bytes`);
      this.#bulkBytes = length;
    }
    const end = this.#offset + this.#bulkBytes;
    if (end + 2 > this.#buffer.length) {
      this.#wantedBytes = this.#bulkBytes + 2;
      return false;
    }
    this.#arguments.push(this.#buffer.toString("latin1", this.#offset, end));
    this.#offset = end + 2;
    this.#wantedBytes = 1;
    this.#bulkBytes = undefined;
    this.#missing -= 1;
    return true;
  }

  /** The number after the type byte; NaN if it is none; undefined if the line has not ended. */
  #readHeader(tooLong: string): number | undefined {
    const { length } = this.#buffer;
    let end = this.#offset + 1;
    // A header is a few bytes: this loop beats a call of indexOf.
    while (end < length && this.#buffer[end] !== CR) end += 1;
    if (end - this.#offset > this.#limits.inlineBytes) throw new ProtocolError(tooLong);
    if (end + 2 > length) {
      this.#wantedBytes = length - this.#offset + 1;
      return undefined;
    }
    const value = parseLength(this.#buffer, this.#offset + 1, end);
    this.#offset = end + 2;
    this.#wantedBytes = 1;
    return value;
  }

  /** An empty array for an empty line, undefined if the line has not ended. */
  #readInline(): string[] | undefined {
    const end = this.#buffer.indexOf(LF, this.#offset);
    const length = (end === -1 ? this.#buffer.length : end) - this.#offset;
    if (length > this.#limits.inlineBytes) throw new ProtocolError("too big inline request");
    if (end === -1) {
      this.#wantedBytes = length + 1;
      return undefined;
    }
    const lineEnd = end > this.#offset && this.#buffer[end - 1] === CR ? end - 1 : end;
    const request = splitInline(this.#buffer.toString("latin1", this.#offset, lineEnd));
    if (request === undefined) throw new ProtocolError("unbalanced quotes in request");
    this.#offset = end + 1;
    this.#wantedBytes = 1;
    return request;
  }
}

/** A decimal number as Redis's string2ll takes it: no sign but "-", no leading zeros, no blanks. NaN otherwise. */
function parseLength(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  // 15 digits are more than any limit here and still exact.
  if (digits < 1 || digits > 15) return NaN;
  if (bytes[first] === 0x30 && (digits > 1 || negative)) return NaN;
  let value = 0;
  for (let i = first; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}
