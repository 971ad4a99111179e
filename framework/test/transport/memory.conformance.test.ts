/** The in-process group keeps what every transport promises. */
import { afterAll, describe, expect, it } from "vitest";
import { registerConformance } from "../../src/transport/conformance.js";
import { MemoryNetwork } from "../../src/transport/memory/index.js";
import { memoryBed } from "./memory-bed.js";

/** Only a failure waits for it. */
const waitMs = 60_000;
const usual = new MemoryNetwork({ nodes: 3 });
/** Where every message or two makes a turn of the event loop, and senders are busy all the time. */
const narrow = new MemoryNetwork({ nodes: 3, limits: { queueBytes: 2_000, batchBytes: 3_000 } });

const leftOut = [
  ...registerConformance({ describe, it }, "memory()", memoryBed(usual, waitMs)),
  ...registerConformance({ describe, it }, "memory() with small queues and batches", memoryBed(narrow, waitMs)),
];

afterAll(() => {
  expect(leftOut).toEqual([]);
});
