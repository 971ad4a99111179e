/** Clients that each wait for an answer before they ask again, and what they measured. */

export interface Measured {
  readonly commands: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of this process over the run, as a share of one core. */
  readonly cpu: number;
  readonly rssMb: number;
}

/** @param ask The client's number, and how often one of them asked before. */
export async function closedLoop(clients: number, goesOn: () => boolean, ask: (client: number, count: number) => Promise<unknown>): Promise<Measured> {
  const latencies: number[] = [];
  const start = performance.now();
  const cpu = process.cpuUsage();
  let count = 0;
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    while (goesOn()) {
      const sent = performance.now();
      await ask(client, count++);
      latencies.push(performance.now() - sent);
    }
  }));
  const elapsed = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return { commands: latencies.length, seconds: elapsed, p50Ms: at(0.5), p99Ms: at(0.99), cpu: (used.user + used.system) / 1e6 / elapsed, rssMb: process.memoryUsage().rss / 1e6 };
}

export function forSeconds(seconds: number): () => boolean {
  const end = performance.now() + seconds * 1000;
  return () => performance.now() < end;
}
