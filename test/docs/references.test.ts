/** What the documentation points to exists: files, headings, functions of the source, scripts, tests. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { anchors, codeBlocks, codeSpans, links, page, pages, root, table, type Page } from "./markdown.js";

/** Where a path in a code span may start. */
const bases = ["", "framework/src", "examples/kv-store", "examples/lock-service", "native"];

function find(path: string): string | undefined {
  return bases.map((base) => join(root, base, path)).find((candidate) => existsSync(candidate));
}

/** Links that lead nowhere in the project; addresses elsewhere are not looked at. */
function deadLinks(of: Page): string[] {
  return links(of).filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = "", anchor] = target.split("#");
    const file = path === "" ? of.path : normalize(join(dirname(of.path), path));
    if (!existsSync(join(root, file))) return true;
    return anchor !== undefined && !anchors(page(file)).has(anchor);
  });
}

/** `core/exchange.ts: suspend()` must be a function or method of that file. */
function deadFunctions(of: Page): string[] {
  return codeSpans(of).filter((span) => {
    const [, path = "", name = ""] = /^([\w/.-]+\.ts): (#?\w+)(?:\(\))?$/.exec(span) ?? [];
    if (path === "") return false;
    const file = find(path);
    return file === undefined || !new RegExp(`(?:function\\*? ${name}\\b|class ${name}\\b|const ${name}\\b|interface ${name}\\b|^  (?:static |async |\\*)*${name}\\()`, "m").test(readFileSync(file, "utf8"));
  });
}

/** Code spans that look like a path of the project. */
function deadPaths(of: Page): string[] {
  return codeSpans(of).filter((span) => /^(?:[\w.-]+\/)+(?:[\w.-]+\.(?:ts|md|mjs|json|cc|h))?$/.test(span) && !span.startsWith("@") && find(span) === undefined);
}

describe.each(pages)("$path", (of) => {
  it("links to pages and headings that exist", () => {
    expect(deadLinks(of)).toEqual([]);
  });

  it("names functions of the source that exist, where it says they are", () => {
    expect(deadFunctions(of)).toEqual([]);
  });

  it("names files that exist", () => {
    expect(deadPaths(of)).toEqual([]);
  });

  it("names scripts of package.json", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
    const text = [...codeSpans(of), ...codeBlocks(of).flatMap(({ lines }) => lines)].join("\n");
    const named = Array.from(text.matchAll(/\bnpm (?:run )?(start|test|build|lint|bench|cluster)\b|\bnpm run (?:-s )?([\w:][\w:-]*)/g), ([, known, other]) => known ?? other ?? "");
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe("README.md", () => {
  it("says where every folder of the sources is", () => {
    const rows = table(page("README.md"), "folder").map(([folder]) => folder);
    const folders = (path: string): string[] => readdirSync(join(root, path), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name, "/"));
    expect(new Set(rows)).toEqual(new Set([...folders("framework/src"), "framework/src/replica.ts", "native/", "examples/kv-store/", "examples/lock-service/", "test/", "docs/"]));
  });

  it("points to every page of docs/", () => {
    expect(pages.map(({ path }) => path).filter((path) => path !== "README.md" && !links(page("README.md")).includes(path))).toEqual([]);
  });

  it("backs each guarantee with a test that has that name", () => {
    const tables = ["guarantee", "guarantee of durable replicas"].map((header) => table(page("README.md"), header, "shown by"));
    expect(tables.map(({ length }) => length)).not.toContain(0);
    for (const [guarantee, shown = ""] of tables.flat()) {
      // Some have more than one.
      const tests = Array.from(shown.matchAll(/`([\w/.-]+)`: “([^”]+)”/g));
      expect(tests.length, guarantee).toBeGreaterThan(0);
      for (const [, path = "", name = ""] of tests) expect(readFileSync(join(root, path), "utf8"), guarantee).toContain(name);
    }
  });
});
