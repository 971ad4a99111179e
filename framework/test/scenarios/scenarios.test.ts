/** Each transcript in test/scenarios/ says what it is about. REWRITE=1 writes down what happens now: read the difference. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Interpreter } from "./interpreter.js";
import { commandsOf, formatTranscript, parseTranscript } from "./transcript.js";

const transcripts = join(import.meta.dirname, "..", "..", "..", "test", "scenarios");
const rewrite = process.env["REWRITE"] === "1";

describe("the protocol core, situation by situation", () => {
  for (const file of readdirSync(transcripts).filter((name) => name.endsWith(".txt")).sort()) {
    it(file.replace(/\.txt$/, "").replaceAll("-", " "), () => {
      const path = join(transcripts, file);
      const blocks = parseTranscript(readFileSync(path, "utf8"));
      const interpreter = new Interpreter();
      const happened = blocks.map(({ lines }) => ({ lines, expected: commandsOf(lines).flatMap((command) => interpreter.run(command)) }));
      if (rewrite) writeFileSync(path, formatTranscript(happened));
      else expect(formatTranscript(happened)).toBe(formatTranscript(blocks));
    });
  }
});
