// floor.c, through the binding: same arguments, same method, same output.
//
//   flood.mjs flood GROUP BYTES WINDOW SECONDS | ping GROUP BYTES COUNT | pong GROUP
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Cpg } from "../dist/index.js";

const warmUpMs = 500;
const [mode, group, ...numbers] = process.argv.slice(2);
const message = Buffer.alloc(mode === "pong" ? 64 : Number(numbers[0]));

let onBatch = () => {};
const cpg = await Cpg.open({
  listener: {
    messages: (batch) => onBatch(batch),
    configurationChanged: () => {},
    ringChanged: () => {},
    ended: (error) => {
      throw error;
    },
  },
});
await cpg.join(group);
const print = (result) => console.log(JSON.stringify({ program: "binding", ...result, node: cpg.local.nodeId, bytes: message.byteLength }));

async function flood(window, seconds) {
  const { nodeId, pid } = cpg.local;
  let delivered = 0;
  let deliveredBytes = 0;
  let underWay = 0;
  let waiting = false;
  let batches = 0;
  const messages = Array.from({ length: window }, () => message);
  const fill = () => {
    if (underWay === window) return;
    // As many as are missing, in one crossing.
    const from = underWay;
    underWay = cpg.multicastEach(messages, from);
    if (underWay === window || waiting) return;
    waiting = true;
    setTimeout(refill, 1);
  };
  const refill = () => {
    waiting = false;
    fill();
  };
  onBatch = (batch) => {
    batches += 1;
    delivered += batch.length;
    for (let i = 0; i < batch.length; i += 1) {
      deliveredBytes += batch.size(i);
      if (batch.senderNodeId(i) === nodeId && batch.senderPid(i) === pid) underWay -= 1;
    }
    fill();
  };
  fill();
  await sleep(warmUpMs);
  const cpu = process.cpuUsage();
  const [from, count, bytes, calls] = [performance.now(), delivered, deliveredBytes, batches];
  await sleep(seconds * 1000);
  const s = (performance.now() - from) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cpuUsPerMessage = Number(((user + system) / (delivered - count)).toFixed(2));
  const perBatch = Number(((delivered - count) / (batches - calls)).toFixed(1));
  print({ mode: "flood", window, messagesPerBatch: perBatch, cpuUsPerMessage, messagesPerSecond: Math.round((delivered - count) / s), megabytesPerSecond: Number(((deliveredBytes - bytes) / s / 1e6).toFixed(2)) });
  process.exit();
}

async function measure(what, kind, answer, count) {
  const times = [];
  message.write(kind);
  let answered = () => {};
  onBatch = (batch) => {
    for (let i = 0; i < batch.length; i += 1) if (batch.data(i)[0] === answer.charCodeAt(0)) answered();
  };
  for (let i = 0; i < count; i += 1) {
    const from = performance.now();
    const answering = new Promise((resolve) => (answered = () => resolve(performance.now())));
    while (cpg.multicast(message) === "busy") await sleep(1);
    times.push((await answering) - from);
  }
  times.sort((a, b) => a - b);
  const at = (share) => Number((times[Math.floor(count * share)] ?? 0).toFixed(3));
  print({ mode: what, count, p50Ms: at(0.5), p99Ms: at(0.99) });
}

if (mode === "flood") await flood(Number(numbers[1]), Number(numbers[2]));
if (mode === "ping") {
  await measure("own delivery", "o", "o", Number(numbers[1]));
  await measure("another's answer", "i", "a", Number(numbers[1]));
}
if (mode === "pong") {
  message.write("a");
  onBatch = (batch) => {
    for (let i = 0; i < batch.length; i += 1) if (batch.data(i)[0] === "i".charCodeAt(0)) while (cpg.multicast(message) === "busy");
  };
  console.log("ready");
  process.stdin.resume();
  await once(process.stdin, "end");
}
await cpg.leave();
