/** The log in memory against a model: an array of everything ever appended, and two marks. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ballot } from "../../src/core/ballot.js";
import { chainHash, genesisHash } from "../../src/log/chain-hash.js";
import { entryCostBytes, MemoryLog, type EntryRecord, type LogEntry } from "../../src/log/log.js";
import { ballots } from "../support/arbitraries.js";

interface Model {
  entries: LogEntry[];
  base: number;
  baseHash: string;
}

const record = (n: number): EntryRecord => ({ incarnation: "00000000000000aa", n, bytes: Buffer.from(`entry ${n}`) });

const moves = fc.array(fc.oneof(
  fc.record({ move: fc.constant("append" as const), ballot: ballots, count: fc.integer({ min: 1, max: 400 }) }),
  fc.record({ move: fc.constant("truncate" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ move: fc.constant("drop" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ move: fc.constant("reset" as const), position: fc.nat({ max: 10_000 }) }),
), { maxLength: 25 });

function check(log: MemoryLog, model: Model): void {
  const end = model.base + model.entries.length;
  expect([log.base, log.end]).toEqual([model.base, end]);
  expect(log.bytes).toBe(model.entries.reduce((sum, entry) => sum + entry.record.bytes.byteLength + entryCostBytes, 0));
  expect([log.hashAt(model.base), log.at(model.base), log.at(end + 1), log.hashAt(end + 1), log.hashAt(model.base - 1)]).toEqual([model.baseHash, undefined, undefined, undefined, undefined]);
  for (const [index, entry] of model.entries.entries()) {
    if (log.at(model.base + 1 + index)?.hash !== entry.hash || log.hashAt(model.base + 1 + index) !== entry.hash) expect.fail(`position ${model.base + 1 + index} differs`);
  }
}

describe("the log in memory", () => {
  it("holds what the model holds, whatever is appended, cut, dropped and reset", () => {
    fc.assert(fc.property(moves, (history) => {
      const log = new MemoryLog();
      const model: Model = { entries: [], base: 0, baseHash: genesisHash };
      let n = 0;
      for (const step of history) {
        if (step.move === "append") {
          for (let left = step.count; left > 0; left--) {
            const entry = record(++n);
            const hash = log.append(step.ballot, entry);
            model.entries.push({ ballot: step.ballot, record: entry, hash: chainHash(model.entries.at(-1)?.hash ?? model.baseHash, step.ballot, entry.bytes) });
            expect(hash).toBe(model.entries.at(-1)?.hash);
          }
        } else if (step.move === "truncate") {
          const keep = Math.floor(step.share * model.entries.length);
          log.truncateAfter(model.base + keep);
          model.entries = model.entries.slice(0, keep);
        } else if (step.move === "drop") {
          const drop = Math.floor(step.share * model.entries.length);
          log.dropThrough(model.base + drop);
          model.baseHash = model.entries[drop - 1]?.hash ?? model.baseHash;
          model.entries = model.entries.slice(drop);
          model.base += drop;
        } else {
          model.baseHash = chainHash(genesisHash, { era: 0, ringSeq: 1n, ringNode: 1, k: 1, attempt: 0 }, Buffer.from(String(step.position)));
          log.reset({ position: step.position, hash: model.baseHash });
          model.entries = [];
          model.base = step.position;
        }
        check(log, model);
      }
    }), { numRuns: 60 });
  });

  it("refuses to cut or drop what it does not hold", () => {
    const log = new MemoryLog();
    log.append({ era: 0, ringSeq: 1n, ringNode: 1, k: 1, attempt: 0 }, record(1));
    for (const act of [() => log.truncateAfter(2), () => log.dropThrough(2), () => log.truncateAfter(-1)]) {
      expect(act).toThrow(expect.objectContaining({ code: "INVARIANT_VIOLATED" }) as Error);
    }
  });

  it("gives different chain hashes for any difference: content, ballot, what came before", () => {
    const ballot: Ballot = { era: 0, ringSeq: 1n, ringNode: 1, k: 1, attempt: 0 };
    fc.assert(fc.property(fc.tuple(ballots, fc.uint8Array()), fc.tuple(ballots, fc.uint8Array()), ([ballotA, a], [ballotB, b]) => {
      const equal = JSON.stringify([Object.values(ballotA).map(String), Buffer.from(a)]) === JSON.stringify([Object.values(ballotB).map(String), Buffer.from(b)]);
      expect(chainHash(genesisHash, ballotA, a) === chainHash(genesisHash, ballotB, b)).toBe(equal);
    }));
    const large = Buffer.alloc(100_000, 7);
    expect(chainHash(genesisHash, ballot, large)).toMatch(/^[0-9a-f]{32}$/);
    expect(chainHash(genesisHash, ballot, large)).not.toBe(chainHash(chainHash(genesisHash, ballot, large), ballot, large));
    // One call for small entries, three updates for large ones: the same hash at the border between them.
    for (const size of [32 * 1024 - 41, 32 * 1024 - 40, 32 * 1024]) expect(chainHash(genesisHash, ballot, Buffer.alloc(size))).toHaveLength(32);
  });
});
