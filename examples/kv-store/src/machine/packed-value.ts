/**
 * Values on their way to the machine. In the state a value is a latin1 string (state.ts); in a command, where strings are
 * UTF-8, bytes above 0x7f would take two: those values travel as bytes.
 */

/** A latin1 string without bytes above 0x7f, or the bytes. */
export type PackedValue = string | Uint8Array;

// eslint-disable-next-line no-control-regex
const beyondAscii = /[^\0-\x7f]/;

export function packValue(value: string): PackedValue {
  return beyondAscii.test(value) ? Buffer.from(value, "latin1") : value;
}

export function unpackValue(packed: PackedValue): string {
  return typeof packed === "string" ? packed : Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString("latin1");
}
