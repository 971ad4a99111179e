/** 64-bit signed integers in decimal, as Redis reads and adds them. Exact: a JavaScript number holds only 53 bits. */

const maximum = 2n ** 63n - 1n;
const minimum = -(2n ** 63n);
const canonical = /^(?:0|-?[1-9][0-9]{0,18})$/;

/** What string2ll takes: canonical decimals within 64 bits. Undefined for anything else. */
export function parseInteger(text: string): bigint | undefined {
  if (!canonical.test(text)) return undefined;
  const value = BigInt(text);
  return value >= minimum && value <= maximum ? value : undefined;
}

/** `text` plus `by`, both canonical 64-bit decimals; undefined if the sum is not one. */
export function addIntegers(text: string, by: string): string | undefined {
  const sum = Number(text) + Number(by);
  // Within 2^53 the number is exact, and several times faster than a bigint.
  if (Number.isSafeInteger(sum) && text.length < 16 && by.length < 16) return String(sum);
  const exact = BigInt(text) + BigInt(by);
  return exact >= minimum && exact <= maximum ? String(exact) : undefined;
}
