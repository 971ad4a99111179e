/** The same commands to a real redis-server and to three replicas: the replies must be the same bytes. */
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEmbedded, type EmbeddedGroup } from "../../src/index.js";
import { quietLogger } from "../../src/quiet-logger.js";
import { knownReplies } from "../support/known-replies.js";
import { startRedis, type RedisServer } from "../support/redis-server.js";
import { RespClient } from "../support/resp-client.js";

let redis: RedisServer;
let group: EmbeddedGroup;

beforeAll(async () => {
  [redis, group] = await Promise.all([startRedis(), startEmbedded([0, 0, 0], { logger: quietLogger })]);
});

afterAll(async () => {
  await Promise.all([redis.stop(), group.close()]);
});

const cursor = fc.constantFrom("0", "00", "+0", "-0", "", "\0x", "0\0x", "x", "+", "-", " 0", "0 ", "1x", "18446744073709551616", "-18446744073709551616");
const key = fc.constantFrom("a", "b", "c", "key:1", "key:2", "\xff\0\r\n", "");
const integerText = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("9223372036854775807", "-9223372036854775808", "9223372036854775808", "9007199254740993", "01", "+1", "1.5", "", " 1", "-0", "abc"),
);
const value = fc.oneof(integerText, fc.string({ maxLength: 8 }), fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1")));
/** Far enough away not to pass meanwhile, or none at all. */
const duration = fc.constantFrom("100000", "200000", "300000000", "9223372036854775807", "-9223372036854775808", "9223372036854775", "abc", "", "1e3");
const past = fc.constantFrom("0", "-1");
const unixTime = fc.constantFrom("1", "0", "-5", "99999999999", "9999999999999", "9223372036854775807", "x");
const anyCase = (text: string): fc.Arbitrary<string> => fc.constantFrom(text, text.toUpperCase(), text.charAt(0).toUpperCase() + text.slice(1));

function command(name: string, ...args: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string[]> {
  return fc.tuple(anyCase(name), ...args);
}

/** Each argument as it comes. */
function request(...args: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string[]> {
  return fc.tuple(...args);
}

/** One of those written out. */
function given(...requests: readonly string[][]): fc.Arbitrary<string[]> {
  return fc.constantFrom(...requests);
}

/** A command with any number of arguments of one kind. */
function variadic(name: fc.Arbitrary<string>, args: fc.Arbitrary<string>, most: number): fc.Arbitrary<string[]> {
  return fc.tuple(name, fc.array(args, { maxLength: most })).map(([first, rest]) => [first].concat(rest));
}

function withOptions(base: fc.Arbitrary<string[]>, option: fc.Arbitrary<string[]>, most: number): fc.Arbitrary<string[]> {
  return fc.tuple(base, fc.array(option, { maxLength: most })).map(([args, options]) => args.concat(options.flat()));
}

const setOption = fc.oneof(
  ...["nx", "xx", "get", "keepttl"].map((option) => command(option)),
  command("ex", duration), command("px", fc.oneof(duration, fc.constantFrom("0", "-1"))), command("exat", unixTime), command("pxat", unixTime),
  given(["ex"], ["bad"], [""]),
);
const expireOption = fc.oneof(...["nx", "xx", "gt", "lt", "bad", "bad\r\n", "\r\nbad", "bad\0x"].map((option) => command(option)));
const glob = fc.array(fc.constantFrom("*", "?", "a", "b", "key:", "[a-c]", "[^a]", "[", "]", "\\", "-", "^", "1"), { maxLength: 6 }).map((parts) => parts.join(""));

/**
 * Not here, as redis-server itself answers now this and now that: the name of a command, a NUL, and more. It is that command where
 * both fall into one bucket of its table, which it hashes by another seed at each start.
 *
 * Nor, as they are not promised to be equal: INFO, the cursors that SCAN gives, the order of KEYS, exact times left, ids, and
 * whether DBSIZE counts a key that has expired and is not yet removed.
 */
const anyCommand: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 3, arbitrary: command("get", key) },
  { weight: 3, arbitrary: command("set", key, value) },
  { weight: 6, arbitrary: withOptions(command("set", key, value), setOption, 3) },
  { weight: 2, arbitrary: variadic(anyCase("mget"), key, 4) },
  { weight: 2, arbitrary: variadic(anyCase("mset"), fc.oneof(key, value), 6) },
  { weight: 2, arbitrary: variadic(fc.constantFrom("del", "unlink", "exists"), key, 4) },
  { weight: 2, arbitrary: variadic(fc.constantFrom("incr", "decr", "type", "persist", "get"), key, 2) },
  { weight: 3, arbitrary: request(fc.constantFrom("incrby", "decrby"), key, integerText) },
  { weight: 3, arbitrary: withOptions(request(fc.constantFrom("expire", "pexpire"), key, fc.oneof(duration, past)), expireOption, 2) },
  { weight: 2, arbitrary: withOptions(request(fc.constantFrom("expireat", "pexpireat"), key, unixTime), expireOption, 2) },
  { weight: 2, arbitrary: request(fc.constantFrom("ttl", "pttl"), key) },
  { weight: 1, arbitrary: request(fc.constant("keys"), glob) },
  { weight: 1, arbitrary: withOptions(request(fc.constant("scan"), cursor), given(["count", "1000"], ["type", "string"], ["match", "*a*"], ["count", "0"], ["bad"]), 2) },
  { weight: 1, arbitrary: variadic(fc.constantFrom("ping", "echo"), value, 2) },
  { weight: 1, arbitrary: variadic(fc.constantFrom("nosuch", "client", "config", "command", "nosuch\0x", "é"), value, 3).filter(([name, sub]) => name !== "command" || sub !== undefined) },
  { weight: 1, arbitrary: given(["select", "0"], ["select", "x"], ["select", "1"], ["select", "2147483648"], ["select", "-2147483649"], ["select", "9223372036854775808"], ["command", "info", "nosuch", "get|x"], ["auth", "x"], ["auth", "default", "x"], ["auth", "u", "p"], ["auth", "a", "b", "c"], ["reset"], ["command", "count", "x"], ["scan", "x"], ["scan", "0", "count"], ["scan", "0", "count", "0"], ["scan", "0", "count", "x"], ["scan", "0", "match"], ["scan", "0", "bad", "x"], ["client", "getname"], ["client", "setname", "x y"], ["client", "setname", "me"], ["config", "get"], ["config", "get", "appendonly"], ["hello", "4"], ["hello", "x"], ["hello", "3", "auth", "u", "p"], ["hello", "3", "setname", "a b"], ["hello", "3", "bad"], ["time", "x"], ["dbsize", "x"], ["info", "nosuch"]) },
);

/** KEYS has no order, and in Redis only KEYS * finds the empty key. */
function comparable(request: readonly string[], reply: string): string {
  const name = request[0]?.toLowerCase();
  if ((name === "keys" || name === "scan") && reply.startsWith("*")) return JSON.stringify(strings(reply).filter((found) => found !== "").toSorted());
  return reply;
}

/** Both are times left, and the one is the other but for a minute: what passes between the two looks. */
function sameTimeLeft(request: readonly string[], one: string, other: string): boolean {
  const unitsPerSecond = { ttl: 1, pttl: 1000 }[request[0]?.toLowerCase() ?? ""];
  if (unitsPerSecond === undefined || ![one, other].every((reply) => /^:\d+\r\n$/.test(reply))) return false;
  return Math.abs(Number(one.slice(1)) - Number(other.slice(1))) < 60 * unitsPerSecond;
}

async function compare(requests: readonly string[][], protocol: "2" | "3"): Promise<void> {
  const [theirs, ours] = await Promise.all([RespClient.connect(redis.socket), RespClient.connect(group.servers[0]?.port ?? 0)]);
  try {
    await Promise.all([theirs.call("FLUSHALL"), empty(ours)]);
    if (protocol === "3") await Promise.all([theirs.call("HELLO", "3"), ours.call("HELLO", "3")]);
    const [expected, actual] = await Promise.all([theirs.pipeline(requests), ours.pipeline(requests)]);
    const label = (replies: readonly string[]): unknown[] => requests.map((request, i) => [request, comparable(request, replies[i] ?? "")]);
    // Both servers count down while the test runs, each in its own time.
    const alike = actual.map((reply, i) => (sameTimeLeft(requests[i] ?? [], reply, expected[i] ?? "") ? (expected[i] ?? "") : reply));
    expect(label(alike)).toEqual(label(expected));
  } finally {
    theirs.destroy();
    ours.destroy();
  }
}

/** To what ends the connection. */
async function repliesTo(where: number | string, bytes: string): Promise<string[]> {
  const client = await RespClient.connect(where);
  client.write(bytes);
  const replies: string[] = [];
  for (let reply = await client.reply(); reply !== "closed"; reply = await client.reply()) replies.push(reply);
  return replies;
}

function repliesOfBoth(bytes: string): Promise<[theirs: string[], ours: string[]]> {
  return Promise.all([repliesTo(redis.socket, bytes), repliesTo(group.servers[0]?.port ?? 0, bytes)]);
}

/** The strings of a flat array; of SCAN's reply also its cursor. */
function strings(reply: string): string[] {
  const found: string[] = [];
  for (let at = reply.indexOf("$"); at !== -1 && at < reply.length; ) {
    const start = reply.indexOf("\r\n", at) + 2;
    const end = start + Number(reply.slice(at + 1, start - 2));
    found.push(reply.slice(start, end));
    at = reply.indexOf("$", end);
  }
  return found;
}

/** As there is no FLUSHALL. */
async function empty(client: RespClient): Promise<void> {
  const keys = strings(await client.call("KEYS", "*"));
  if (keys.length > 0) await client.call("DEL", ...keys);
}

describe("replies are those of redis-server", () => {
  it("to any commands, in RESP2, pipelined", async () => {
    await fc.assert(fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 25 }), (requests) => compare(requests, "2")), { numRuns: 250 });
  });

  it("to any commands, in RESP3, pipelined", async () => {
    const within3 = anyCommand.filter(([name]) => name !== "reset");
    await fc.assert(fc.asyncProperty(fc.array(within3, { minLength: 1, maxLength: 25 }), (requests) => compare(requests, "3")), { numRuns: 150 });
  });

  it("to the conversation that other tests know by heart", async () => {
    const theirs = await RespClient.connect(redis.socket);
    await theirs.call("FLUSHALL");
    const replies = await theirs.pipeline(knownReplies.map(([request]) => request.split(" ")));
    theirs.destroy();
    expect(knownReplies.map(([request], i) => [request, replies[i]])).toEqual(knownReplies);
  });

  it("to DBSIZE, when nothing has expired", async () => {
    await compare([["dbsize"], ["mset", "a", "1", "b", "2"], ["dbsize"], ["set", "c", "3"], ["del", "a", "nosuch"], ["dbsize"], ["expire", "b", "-1"], ["dbsize"]], "2");
  });

  it("to inline commands, however their words are parted", async () => {
    const piece = fc.constantFrom("ping", "echo", " ", "  ", "\t", "\v", "\f", "\b", "a", "\xff", '"', "'", '""', "''", '"b c"', "'d e'", "\\", '\\"', "\\'", "\\n", "\\x41", "\\x4", '"\\x41\\t"');
    const line = fc.array(piece, { maxLength: 10 }).map((pieces) => `${pieces.join("")}\r\n`);
    await fc.assert(fc.asyncProperty(line, async (bytes) => {
      const [expected, actual] = await repliesOfBoth(`${bytes}QUIT\r\n`);
      expect(actual).toEqual(expected);
    }), { numRuns: 300 });
  });

  it("to what is not the protocol, which ends the connection", async () => {
    const wrong = ["*x\r\n", "*1\r\nx\r\n", "*1\r\n$-5\r\n", "*1\r\n$x\r\n", 'set "a\r\n', "*-5\r\nPING\r\n*1\r\n$4\r\nPING\r\n*\r\n", `*1\r\n$${"9".repeat(30)}\r\n`];
    for (const bytes of wrong) {
      const [expected, actual] = await repliesOfBoth(bytes);
      expect([bytes, actual]).toEqual([bytes, expected]);
    }
  });
});
