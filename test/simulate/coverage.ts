/** Which branches of the protocol core ran, as V8 counts them: blocks within functions. */
import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";
import type { Coverage } from "./job.js";

const core = "/framework/dist/core/";

export class CoreCoverage {
  readonly #session = new Session();

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post("Profiler.enable");
    await this.#session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: true });
  }

  async stop(): Promise<Coverage> {
    const { result } = await this.#session.post("Profiler.takePreciseCoverage");
    this.#session.disconnect();
    let [branches, taken] = [0, 0];
    const missed: string[] = [];
    for (const { url, functions } of result) {
      if (!url.includes(core)) continue;
      const source = readFileSync(fileURLToPath(url), "utf8");
      for (const range of functions.flatMap(({ ranges }) => ranges)) {
        branches++;
        if (range.count > 0) taken++;
        else missed.push(`${url.slice(url.indexOf(core) + core.length)}:${source.slice(0, range.startOffset).split("\n").length}`);
      }
    }
    return { branches, taken, missed: missed.sort() };
  }
}
