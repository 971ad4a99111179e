/** Opens many sessions that hold many locks, through three servers, and renews each of them; plain HTTP, as many calls under way as it is told. Speaks lines of JSON. */
import { createInterface } from "node:readline";
import { eventually } from "../cluster/eventually.js";
import { closedLoop } from "./closed-loop.js";

export interface ManyOrder {
  readonly kind: "hold" | "renew";
  readonly sessions: number;
  readonly locksOfEach: number;
  /** Calls under way. */
  readonly clients: number;
}

/** Longer than the measurement on any machine: nobody renews meanwhile but when it is measured. */
const ttlMs = 3_600_000;
const endpoints = process.argv.slice(2);
const sessions: string[] = [];
const startTimeoutMs = 60_000;

for (const endpoint of endpoints) await eventually(async () => (await fetch(`${endpoint}/v1/health`)).ok, { what: `${endpoint} to work`, timeoutMs: startTimeoutMs });
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as ManyOrder;
  let left = order.sessions;
  const measured = await closedLoop(order.clients, () => left > 0, async () => {
    const number = --left;
    const endpoint = endpoints[number % endpoints.length] ?? "";
    if (order.kind === "renew") await call(endpoint, "POST", `/v1/sessions/${sessions[number] ?? ""}/renew`, {});
    else sessions[number] = await hold(endpoint, number, order.locksOfEach);
  });
  process.stdout.write(`${JSON.stringify(measured)}\n`);
}

async function hold(endpoint: string, number: number, locks: number): Promise<string> {
  const { session } = (await call(endpoint, "POST", "/v1/sessions", { ttlMs })) as { readonly session: string };
  await call(endpoint, "PUT", `/v1/sessions/${session}/requests/all`, { waitMs: 0, locks: Array.from({ length: locks }, (_, each) => ({ lock: `many/${number}/${each}`, mode: "EX" })) });
  return session;
}

/** @throws Error of an answer that is not 2xx: what was not done is not measured. */
async function call(endpoint: string, method: string, path: string, body: object): Promise<unknown> {
  const answer = await fetch(endpoint + path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}
