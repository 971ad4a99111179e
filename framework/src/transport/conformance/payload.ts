/** The messages of the conformance suite: a text, a bar, and padding that shows any damage. */

/** Byte i of the padding of any message is byte i of this, so that a shifted or mixed-up message shows too. */
let pattern = new Uint8Array(0);

function patternOf(bytes: number): Uint8Array {
  if (pattern.byteLength < bytes) pattern = Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
  return pattern;
}

const bar = "|".charCodeAt(0);

/** An empty text with 0 bytes is an empty message. */
export function encodePayload(text: string, bytes: number): Uint8Array {
  if (text === "" && bytes === 0) return new Uint8Array(0);
  const head = new TextEncoder().encode(`${text}|`);
  const message = new Uint8Array(Math.max(bytes, head.byteLength));
  message.set(patternOf(message.byteLength).subarray(0, message.byteLength));
  message.set(head);
  return message;
}

/** The text, or undefined if the message is damaged. */
export function decodePayload(message: Uint8Array): string | undefined {
  if (message.byteLength === 0) return "";
  const end = message.indexOf(bar);
  if (end < 0) return undefined;
  const expected = patternOf(message.byteLength).subarray(end + 1, message.byteLength);
  const whole = Buffer.compare(message.subarray(end + 1), expected) === 0;
  return whole ? new TextDecoder().decode(message.subarray(0, end)) : undefined;
}
