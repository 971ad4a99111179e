import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultRequestLimits, type RequestLimits } from "../../src/resp/limits.js";
import { ProtocolError, RequestParser } from "../../src/resp/request-parser.js";

const smallLimits: RequestLimits = { inlineBytes: 64, bulkBytes: 100, arguments: 10, requestBytes: 400 };

function encode(args: readonly string[]): Buffer {
  return Buffer.from(`*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`, "latin1");
}

function parse(chunks: readonly Buffer[], limits: RequestLimits = defaultRequestLimits): string[][] {
  const parser = new RequestParser(limits);
  const requests: string[][] = [];
  for (const chunk of chunks) {
    parser.push(chunk);
    for (let request = parser.next(); request !== undefined; request = parser.next()) requests.push(request);
  }
  return requests;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

const text = (source: string): Buffer[] => [Buffer.from(source, "latin1")];
const failure = (source: string, limits?: RequestLimits): unknown => {
  try {
    return parse(text(source), limits);
  } catch (error) {
    return error instanceof ProtocolError ? error.message : error;
  }
};

const binary = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

describe("RequestParser", () => {
  it("reads the same requests however the bytes are cut into chunks", () => {
    fc.assert(
      fc.property(fc.array(fc.array(binary, { minLength: 1, maxLength: 6 }), { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 30 }), (requests, cuts) => {
        const bytes = Buffer.concat(requests.map(encode));
        expect(parse(split(bytes, cuts))).toEqual(requests);
      }),
      { numRuns: 500 },
    );
  });

  it("either reads or refuses any bytes whatever, the same way in one chunk as in many", () => {
    const alphabet = fc.constantFrom("*", "$", "\r\n", "\n", "1", "2", "-1", "0", "a", '"', "'", "\\", " ", "\xff", "PING", "7".repeat(61), "*1\r\n$4\r\nPING\r\n");
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 40 }).map((parts) => parts.join("")), fc.array(fc.nat(), { maxLength: 20 }), (source, cuts) => {
        const run = (chunks: readonly Buffer[]): { requests: string[][]; error: string } => {
          const parser = new RequestParser(smallLimits);
          const requests: string[][] = [];
          try {
            for (const chunk of chunks) {
              parser.push(chunk);
              for (let request = parser.next(); request !== undefined; request = parser.next()) requests.push(request);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
            return { requests, error: String(error) };
          }
          return { requests, error: "" };
        };
        const whole = Buffer.from(source, "latin1");
        expect(run(split(whole, cuts))).toEqual(run([whole]));
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps every byte of an argument, CRLF and NUL included", () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1");
    expect(parse([encode(["SET", `\r\n${every}`, ""])])).toEqual([["SET", `\r\n${every}`, ""]]);
  });

  it("joins a long argument that comes in many chunks", () => {
    const value = "x".repeat(3_000_000);
    const bytes = encode(["SET", "k", value]);
    const chunks = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, i) => bytes.subarray(i * 1000, (i + 1) * 1000));
    expect(parse(chunks)).toEqual([["SET", "k", value]]);
  });

  it("passes over empty arrays, null arrays and empty lines", () => {
    expect(parse(text("*0\r\n*-1\r\n\r\n\n*1\r\n$4\r\nPING\r\n"))).toEqual([["PING"]]);
  });

  it("reads inline commands with quotes and escapes", () => {
    expect(parse(text('  set  a "b c\\x41\\n\\"" \'it\\\'s\'\r\nPING\n'))).toEqual([["set", "a", 'b cA\n"', "it's"], ["PING"]]);
  });

  it.each([
    ["*x\r\n", "invalid multibulk length"],
    ["*01\r\n", "invalid multibulk length"],
    ["*+1\r\n", "invalid multibulk length"],
    ["*11\r\n", "invalid multibulk length"],
    ["*99999999999999999999\r\n", "invalid multibulk length"],
    ["*1\r\n:1\r\n", "expected '$', got ':'"],
    ["*1\r\n$x\r\n", "invalid bulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$101\r\n", "invalid bulk length"],
    ['set "a\r\n', "unbalanced quotes in request"],
    ['set "a"b\r\n', "unbalanced quotes in request"],
    [`*${"1".repeat(70)}`, "too big mbulk count string"],
    [`*1\r\n$${"1".repeat(70)}`, "too big bulk count string"],
    ["x".repeat(70), "too big inline request"],
    [`*5\r\n${`$100\r\n${"x".repeat(100)}\r\n`.repeat(4)}`, "request of more than 400 bytes"],
  ])("refuses %j", (source, message) => {
    expect(failure(source, smallLimits)).toBe(`Protocol error: ${message}`);
  });
});
