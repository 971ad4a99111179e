// The process behind client.ts: runs the functions it is sent, one after the other.
import childProcess from "node:child_process";
import fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { runInNewContext, runInThisContext } from "node:vm";
import workers from "node:worker_threads";
import * as corosync from "../../dist/index.js";

/** Only a failure waits for it. */
const patienceMs = 60_000;

async function until(condition) {
  const deadline = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${patienceMs} ms for ${condition}`);
    await sleep(2);
  }
}

async function record(options = {}) {
  const events = [];
  const listener = {
    messages(batch) {
      for (let i = 0; i < batch.length; i += 1) {
        events.push({ kind: "message", text: Buffer.from(batch.data(i)).toString(), nodeId: batch.senderNodeId(i), pid: batch.senderPid(i) });
      }
    },
    configurationChanged: (change) => events.push({ kind: "change", ...change }),
    ringChanged: (ring, nodes) => events.push({ kind: "ring", ring, nodes }),
    ended: (error) => events.push({ kind: "ended", code: error.code }),
  };
  const cpg = await corosync.Cpg.open({ listener, ...options });
  return { cpg, events, texts: () => events.filter((event) => event.kind === "message").map((event) => event.text) };
}

const packageUrl = new URL("../../dist/index.js", import.meta.url).href;
const tools = { corosync, kept: {}, until, record, gc: globalThis.gc, fs, childProcess, runInNewContext, workers, packageUrl };

// A function may disconnect on purpose.
function answer(message) {
  if (process.connected) process.send(message);
}

async function run({ source, argument }) {
  try {
    const body = runInThisContext(`(${source})`);
    answer({ ok: true, value: await body(tools, argument) });
  } catch (error) {
    answer({ ok: false, value: error instanceof Error ? error.stack : String(error) });
  }
}

process.on("message", (order) => void run(order));
