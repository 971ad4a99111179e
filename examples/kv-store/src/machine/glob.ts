/** Redis's glob patterns (util.c: stringmatchlen) over latin1 strings: * ? [a-z] [^a-z] and \ to escape. */

/**
 * Greedy with one point to go back to, the last star: a pattern with many stars costs length × length at most,
 * never more.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      starAt = p;
      resumeAt = t;
      p += 1;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
    if (next !== -1) {
      p = next;
      t += 1;
    } else if (starAt === -1) {
      return false;
    } else {
      p = starAt + 1;
      resumeAt += 1;
      t = resumeAt;
    }
  }
  while (pattern[p] === "*") p += 1;
  return p >= pattern.length;
}

/** The part every match begins with: a scan needs to look at nothing else. */
export function literalPrefix(pattern: string): string {
  return /^[^*?[\\]*/.exec(pattern)?.[0] ?? "";
}

/** Index in the pattern after the element at `p`, if that element takes the character; -1 if not. */
function matchOne(pattern: string, p: number, code: number): number {
  const character = pattern[p];
  if (character === "?") return p + 1;
  if (character === "[") return matchClass(pattern, p, code);
  const literal = character === "\\" && p + 1 < pattern.length ? p + 1 : p;
  return pattern.charCodeAt(literal) === code ? literal + 1 : -1;
}

/** Redis closes an unterminated class at the pattern's end, and takes a range either way round. */
function matchClass(pattern: string, start: number, code: number): number {
  let p = start + 1;
  const negated = pattern[p] === "^";
  if (negated) p += 1;
  let found = false;
  while (p < pattern.length && pattern[p] !== "]") {
    if (pattern[p] === "\\" && p + 1 < pattern.length) {
      found ||= pattern.charCodeAt(p + 1) === code;
      p += 2;
    } else if (pattern[p + 1] === "-" && p + 2 < pattern.length) {
      const from = pattern.charCodeAt(p);
      const to = pattern.charCodeAt(p + 2);
      found ||= code >= Math.min(from, to) && code <= Math.max(from, to);
      p += 3;
    } else {
      found ||= pattern.charCodeAt(p) === code;
      p += 1;
    }
  }
  return found === negated ? -1 : Math.min(p + 1, pattern.length);
}
