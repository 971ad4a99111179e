/** Reads the project's Markdown for the tests that keep it true: code blocks, tables, links, code spans. No full parser. */
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export interface Page {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
}

/** README.md and everything in docs/. */
export const pages: readonly Page[] = ["README.md", ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).sort().map((name) => `docs/${name}`)].map(page);

export function page(path: string): Page {
  return { path, text: readFileSync(join(root, path), "utf8") };
}

export interface CodeBlock {
  readonly language: string;
  readonly lines: readonly string[];
}

export function codeBlocks({ text }: Page): CodeBlock[] {
  return Array.from(text.matchAll(/^```([a-z]*)\n(.*?)^```$/gms), ([, language = "", body = ""]) => ({ language, lines: body.trimEnd().split("\n") }));
}

/** Without code blocks: what is inside them is not Markdown. */
export function prose({ text }: Page): string {
  return text.replaceAll(/^```.*?^```$/gms, "");
}

/** Code spans of the prose. */
export function codeSpans(of: Page): string[] {
  return Array.from(prose(of).matchAll(/`([^`\n]+)`/g), ([, span = ""]) => span);
}

/** Targets of the prose's links. */
export function links(of: Page): string[] {
  return Array.from(prose(of).matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target);
}

/** The anchors that a page's headings get. */
export function anchors(of: Page): Set<string> {
  return new Set(Array.from(prose(of).matchAll(/^#+ (.+)$/gm), ([, heading = ""]) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")));
}

/** The rows of the table whose header begins with these cells; cells are trimmed, code spans lose their ticks. */
export function table(of: Page, ...header: readonly string[]): string[][] {
  const lines = of.text.split("\n");
  const start = lines.findIndex((line) => header.every((cell, index) => cellsOf(line)[index] === cell));
  if (start < 0) throw new Error(`${of.path} has no table that begins with | ${header.join(" | ")} |`);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith("|"));
  return rows.slice(0, end < 0 ? rows.length : end).map(cellsOf);
}

function cellsOf(line: string): string[] {
  if (!line.startsWith("|")) return [];
  return line.slice(1, -1).split("|").map((cell) => cell.trim().replace(/^`(.*)`$/, "$1"));
}

/** Every file below a directory, relative to the project's root. */
export function filesBelow(directory: string, extension: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}
