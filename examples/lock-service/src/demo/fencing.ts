/**
 * What fencing tokens are for, on real processes: A holds the lock and is stopped (SIGSTOP) past its lease; B gets the lock and writes; A wakes up in the middle of its
 * critical section and writes too.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startEmbedded } from "../start-embedded.js";
import { GuardedFile, type Write } from "./guarded-file.js";

const writer = fileURLToPath(new URL("./writer.js", import.meta.url));
const ttlMs = 2000;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface Ending {
  readonly accepted: readonly Write[];
  /** What A was told of its late write. */
  readonly late: { readonly status: number; readonly text: string; readonly held: boolean; readonly aborted: boolean };
}

interface Said {
  readonly event: "ready" | "answered" | "done" | "failed";
  readonly token?: number;
  readonly status?: number;
  readonly text?: string;
  readonly held?: boolean;
  readonly aborted?: boolean;
  readonly message?: string;
}

/** @param say Gets the story, line by line. */
export async function demonstrate({ checksTokens, say }: { readonly checksTokens: boolean; readonly say: (line: string) => void }): Promise<Ending> {
  const group = await startEmbedded([0, 0, 0], { logger: silent });
  const file = await GuardedFile.listen({ checksTokens });
  const endpoints = group.servers.map(({ url }) => url);
  const processes: ChildProcess[] = [];
  const startWriter = (name: string): Writer => {
    const child = spawn(process.execPath, [writer, name, String(ttlMs), file.url, ...endpoints], { stdio: ["pipe", "pipe", "inherit"] });
    processes.push(child);
    return new Writer(child);
  };
  try {
    say(`Three replicas, and a file behind HTTP that ${checksTokens ? "refuses tokens older than it has seen" : "takes what comes"}. Leases of ${ttlMs / 1000} s.`);
    const a = startWriter("A");
    say(`A has the lock, token ${(await a.hears("ready")).token}. It is about to write …`);
    a.process.kill("SIGSTOP");
    say("… and is stopped (SIGSTOP): it does not know, and cannot look at any clock.");
    const b = startWriter("B");
    say(`A's lease ends, B gets the lock, token ${(await b.hears("ready")).token}.`);
    b.write();
    say(`B writes: ${(await b.hears("answered")).status === 200 ? "accepted" : "refused"}.`);
    a.process.kill("SIGCONT");
    a.write();
    say("A wakes up (SIGCONT), in the middle of its critical section, and writes.");
    const { status = 0, text = "", held = true, aborted = false } = await a.hears("answered");
    say(`  the file:   ${status === 200 ? "accepted" : `refused: ${text}`}`);
    say(`  A's client: grant.held is ${held}, its signal is ${aborted ? "aborted" : "not aborted"}`);
    say(`In the file: "${file.accepted.at(-1)?.value}". ${file.accepted.at(-1)?.by === "B" ? "B's write is safe." : "B's write is lost, and nobody was told."}`);
    return { accepted: file.accepted, late: { status, text, held, aborted } };
  } finally {
    for (const child of processes) child.kill("SIGKILL");
    file.close();
    await group.close();
  }
}

class Writer {
  readonly process: ChildProcess;
  readonly #said: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.process = child;
    if (child.stdout === null) throw new Error("its output is a pipe");
    this.#said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async hears(event: Said["event"]): Promise<Said> {
    const { value, done } = await this.#said.next() as IteratorResult<string, undefined>;
    if (done === true) throw new Error(`the client ended before it was ${event}`);
    const said = JSON.parse(value) as Said;
    if (said.event !== event) throw new Error(`the client said ${value}, not ${event}`);
    return said;
  }

  write(): void {
    this.process.stdin?.end("w");
  }
}

function ignore(): void {
  // Nothing that is logged belongs to the story.
}
