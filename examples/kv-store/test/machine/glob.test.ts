import { describe, expect, it } from "vitest";
import { literalPrefix, matchesGlob } from "../../src/machine/glob.js";

describe("glob patterns", () => {
  it.each([
    ["*", "", true], ["*", "anything", true], ["a*c", "abbc", true], ["a*c", "abb", false], ["a?c", "abc", true], ["a?c", "ac", false],
    ["[a-c]x", "bx", true], ["[c-a]x", "bx", true], ["[^a-c]x", "bx", false], ["[^a-c]x", "dx", true], ["[abc", "b", true], ["\\*", "*", true], ["\\*", "a", false],
    ["[\\]]", "]", true], ["[]", "a", false], ["a\\", "a\\", true], ["**a**", "xax", true], ["h*llo*d", "hello world", true], ["", "", true], ["", "a", false],
    ["[a-]", "-", false], ["\xff*", "\xff\0", true],
  ])("%j on %j: %s", (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches);
  });

  it("cost little even if made to be costly", () => {
    const startedAt = process.cpuUsage();
    expect(matchesGlob("*a".repeat(50) + "b", "a".repeat(10_000))).toBe(false);
    expect(process.cpuUsage(startedAt).user).toBeLessThan(5_000_000);
  });

  it("have the prefix that every match begins with", () => {
    expect(literalPrefix("user:*:name")).toBe("user:");
    expect(literalPrefix("a\\*")).toBe("a");
    expect(literalPrefix("[a]")).toBe("");
    expect(literalPrefix("whole")).toBe("whole");
  });
});
