/** Durations as Go writes them ("15s", "1h30m", "1.5s"), which Consul's interface has them in. Nanoseconds, whole ones. */

const units: Readonly<Record<string, bigint>> = { ns: 1n, us: 1000n, "µs": 1000n, "μs": 1000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n };

export const nanosecondsPerMs = units["ms"] as bigint;
export const nanosecondsPerSecond = units["s"] as bigint;

export class DurationError extends Error {}

/** @throws DurationError in Go's words. */
export function parseDuration(text: string): bigint {
  const [, sign, rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0n;
  if (rest === "") throw invalid(text);
  let total = 0n;
  for (let at = 0; at < rest.length;) {
    const [part = "", whole = "", fraction = "", unit = ""] = /^(\d*)(?:\.(\d*))?([^\d.]*)/.exec(rest.slice(at)) ?? [];
    if (whole === "" && fraction === "") throw invalid(text);
    if (unit === "") throw new DurationError(`time: missing unit in duration ${JSON.stringify(text)}`);
    const size = Object.hasOwn(units, unit) ? units[unit] : undefined;
    if (size === undefined) throw new DurationError(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    total += BigInt(whole) * size + (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
    at += part.length;
  }
  const signed = sign === "-" ? -total : total;
  if (BigInt.asIntN(64, signed) !== signed) throw invalid(text);
  return signed;
}

function invalid(text: string): DurationError {
  return new DurationError(`time: invalid duration ${JSON.stringify(text)}`);
}

/** As Go shows it: "15s", "1m0s", "24h0m0s", "500ms". */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const seconds = `${(ms % 60_000) / 1000}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

/** At least one if it is not nothing: what waits for it must not wait for less. */
export function wholeMs(nanoseconds: bigint): number {
  return nanoseconds <= 0n ? 0 : Number((nanoseconds + nanosecondsPerMs - 1n) / nanosecondsPerMs);
}
