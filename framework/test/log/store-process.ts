/**
 * Processes with a store of their own, to be killed, frozen, or run out of room. They run the compiled sources: `npm run build` first.
 *
 * What their programs have: directory, dist, everything imported below, and `log`, which makes the same entries in every process.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

/** In a copy for deliberate mistakes (test/mutations) the tests are compiled as well, and it is one deeper. */
export const dist = new URL(existsSync(new URL("../../dist/log", import.meta.url)) ? "../../dist/" : "../../dist/src/", import.meta.url);
const imports: Readonly<Record<string, string>> = {
  "{ openBackend }": "log/journaled-backend.js",
  "{ openLmdb }": "log/lmdb-backend.js", "{ openLogStore }": "log/log-store.js", "{ DirectoryLock }": "log/directory-lock.js",
  "{ encodeCommand, encodeCommands }": "codec/entry-codec.js", "{ chainHash, genesisHash }": "log/chain-hash.js",
};

const preamble = `
  const ballot = { era: 0, ringSeq: 8n, ringNode: 1, k: 1, attempt: 0 };
  const log = {
    identity: { group: "g", slot: 1, machine: "m", version: 1, slots: [1, 2, 3], policy: "majority" },
    head: { ballot, promised: ballot, lineage: true, replaceState: false, known: [1] },
    genesis: { position: 0, hash: genesisHash },
    /** @param size Bytes of the command in each. */
    entriesAfter({ position, hash }, count, size = 300) {
      return Array.from({ length: count }, () => {
        position++;
        const record = encodeCommands({ origin: { slot: 1, incarnation: "00000001000000aa" }, n: position, timeMs: position }, [encodeCommand({ name: "set", input: String(position).repeat(size).slice(0, size) })]);
        hash = chainHash(hash, ballot, record.bytes);
        return { ballot, record, hash, position };
      });
    },
  };`;

/** @param launcher A command that runs another, the program. */
export function storeProcess(directory: string, body: string, launcher: readonly string[] = []): ChildProcess {
  const lines = Object.entries(imports).map(([names, path]) => `import ${names} from ${JSON.stringify(new URL(path, dist).href)};`);
  const source = [...lines, preamble, `const [directory, dist] = ${JSON.stringify([directory, dist.href])};`, body].join("\n");
  const [command, ...args] = [...launcher, process.execPath, "--input-type=module", "-e", source];
  // LMDB writes what failed to standard error as well.
  return spawn(command, args, { stdio: ["ignore", "pipe", launcher.length > 0 ? "ignore" : "inherit"] });
}

export function linesOf(child: ChildProcess): AsyncIterable<string> {
  if (child.stdout === null) throw new Error("it has an output");
  return createInterface(child.stdout);
}

export async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of linesOf(child)) return line;
  throw new Error("it ended");
}

export function ended(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((resolve) => { child.once("exit", () => resolve()); });
}
