/**
 * Reads and writes transcripts: commands, a line of dashes, what they brought about, an empty line. Lines that begin
 * with # are for people. What commands mean is the interpreter's business.
 */
export interface Block {
  /** Comments and commands, as they stand. */
  readonly lines: readonly string[];
  readonly expected: readonly string[];
}

const divider = "----";

export function parseTranscript(text: string): Block[] {
  return text.split(/\n{2,}/).map((part) => part.split("\n").filter((line) => line !== "")).filter((lines) => lines.length > 0).map((lines) => {
    const at = lines.indexOf(divider);
    return at === -1 ? { lines, expected: [] } : { lines: lines.slice(0, at), expected: lines.slice(at + 1) };
  });
}

export function formatTranscript(blocks: readonly Block[]): string {
  return `${blocks.map(({ lines, expected }) => [...lines, ...(commandsOf(lines).length === 0 ? [] : [divider]), ...expected].join("\n")).join("\n\n")}\n`;
}

export function commandsOf(lines: readonly string[]): string[] {
  return lines.filter((line) => !line.startsWith("#"));
}
