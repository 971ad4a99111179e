/** Splits the line of an inline command into arguments, by the rules of Redis's sdssplitargs. Not used for RESP arrays. */

const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", a: "\x07" };

/** Quotes may hold blanks; "…" also \n, \xHH and the like; '…' only \'. Undefined if the quotes are not balanced. */
export function splitInline(line: string): string[] | undefined {
  const result: string[] = [];
  let at = 0;
  for (;;) {
    while (isBlank(line[at])) at += 1;
    if (at >= line.length) return result;
    let word = "";
    while (at < line.length && !endsWord(line[at])) {
      const character = line[at] as string;
      if (character !== '"' && character !== "'") {
        word += character;
        at += 1;
        continue;
      }
      const quoted = character === '"' ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
      // A closing quote must be followed by a blank or the end.
      if (quoted === undefined || (quoted.end < line.length && !isBlank(line[quoted.end]))) return undefined;
      word += quoted.text;
      at = quoted.end;
      break;
    }
    result.push(word);
  }
}

interface Quoted {
  readonly text: string;
  /** Index after the closing quote. */
  readonly end: number;
}

function readDoubleQuoted(line: string, start: number): Quoted | undefined {
  let text = "";
  for (let at = start; at < line.length; ) {
    const character = line[at] as string;
    if (character === '"') return { text, end: at + 1 };
    if (character !== "\\" || at + 1 >= line.length) {
      text += character;
      at += 1;
      continue;
    }
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(line.slice(at, at + 4));
    if (hex) {
      text += String.fromCharCode(Number.parseInt(hex[1] as string, 16));
      at += 4;
    } else {
      const escaped = line[at + 1] as string;
      text += escapes[escaped] ?? escaped;
      at += 2;
    }
  }
  return undefined;
}

function readSingleQuoted(line: string, start: number): Quoted | undefined {
  let text = "";
  for (let at = start; at < line.length; ) {
    if (line[at] === "'") return { text, end: at + 1 };
    if (line[at] === "\\" && line[at + 1] === "'") {
      text += "'";
      at += 2;
    } else {
      text += line[at];
      at += 1;
    }
  }
  return undefined;
}

/** Fewer characters than isspace, which Redis asks between words only. */
function endsWord(character: string | undefined): boolean {
  return character === " " || character === "\t" || character === "\r" || character === "\n";
}

/** isspace. */
function isBlank(character: string | undefined): boolean {
  return character === " " || (character !== undefined && character >= "\t" && character <= "\r");
}
