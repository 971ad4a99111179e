/** A system on which the database's addon does not load: its processor or C++ library is another one than that of the addon. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { dist } from "./store-process.js";

const hooks = `export async function load(url, context, next) {
  if (url.includes("/node_modules/lmdb/")) throw new Error("version GLIBCXX_3.4.29 not found");
  return next(url, context);
}`;

it("runs replicas in memory, and refuses durable ones with the reason and the way out, and makes nothing for them", () => {
  const scratch = mkdtempSync(join(tmpdir(), "lockstep-no-database-"));
  const directory = join(scratch, "data");
  const source = `
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hooks)}));
    const { MemoryNetwork, createReplica, defineMachine, memory } = await import(${JSON.stringify(new URL("index.js", dist).href)});
    const counter = defineMachine({ name: "counter", version: 1, initialState: () => ({ n: 0 }), commands: (command) => ({ add: command((draft, by) => (draft.n += by)) }), queries: {} });
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const start = (group, more) => createReplica(counter, { group, transport: memory({ network: new MemoryNetwork({ nodes: 1 }), nodeId: 1 }), logger, ...more });
    const replica = await start("one", {});
    await replica.ready();
    console.log(await replica.submit.add(7));
    await replica.stop();
    await start("two", { durability: "disk", directory: ${JSON.stringify(directory)} }).catch((error) => console.log(error.code, error.message));`;
  try {
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", source], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^7\nSTORE_UNAVAILABLE The database for data on disk, the package lmdb, does not load here: Error: version GLIBCXX_3\.4\.29 not found\. Build it .*, or keep the data in memory\.\n$/);
    expect(status).toBe(0);
    expect(existsSync(directory)).toBe(false);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
