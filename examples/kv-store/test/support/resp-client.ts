/** A client that keeps replies as the bytes they came in, for comparing servers byte for byte. */
import { connect, type Socket } from "node:net";

/** The length of the first whole reply in `bytes`; undefined if it has not all come. */
function replyLength(bytes: Buffer, start = 0): number | undefined {
  const lineEnd = bytes.indexOf("\r\n", start);
  if (lineEnd === -1) return undefined;
  const head = bytes.toString("latin1", start, lineEnd);
  const size = Number(head.slice(1));
  let end = lineEnd + 2;
  switch (head[0]) {
    case "$":
    case "=":
      end += size < 0 ? 0 : size + 2;
      return end <= bytes.length ? end : undefined;
    case "*":
    case "~":
    case "%":
      for (let left = head[0] === "%" ? size * 2 : Math.max(0, size); left > 0; left--) {
        const next = replyLength(bytes, end);
        if (next === undefined) return undefined;
        end = next;
      }
      return end;
    case "+":
    case "-":
    case ":":
    case "_":
      return end;
    default:
      throw new Error(`not a reply: ${head}`);
  }
}

export function encodeRequest(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join("")}`;
}

export class RespClient {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #waiting: ((reply: string) => void)[] = [];
  #closed = false;
  readonly #whenClosed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#deliver();
    });
    socket.on("error", () => undefined);
    this.#whenClosed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#closed = true;
        for (const resolveReply of this.#waiting.splice(0)) resolveReply("closed");
        resolve();
      });
    });
  }

  /** @param where a port of this machine, or the path of a socket */
  static async connect(where: number | string): Promise<RespClient> {
    const socket = typeof where === "number" ? connect({ port: where, host: "127.0.0.1" }) : connect(where);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new RespClient(socket);
  }

  /** Bytes as they are, latin1. */
  write(bytes: string): void {
    this.#socket.write(bytes, "latin1");
  }

  /** The next reply, as it came; "closed" if the connection ends before. */
  reply(): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#deliver();
    });
  }

  call(...args: string[]): Promise<string> {
    this.write(encodeRequest(args));
    return this.reply();
  }

  /** All in one write. */
  pipeline(requests: readonly (readonly string[])[]): Promise<string[]> {
    this.write(requests.map(encodeRequest).join(""));
    return Promise.all(requests.map(() => this.reply()));
  }

  /** Says that nothing more will come, and goes on reading. */
  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when the server has closed the connection. */
  get closed(): Promise<void> {
    return this.#whenClosed;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #deliver(): void {
    while (this.#waiting.length > 0) {
      const length = replyLength(this.#bytes);
      if (length === undefined) break;
      const reply = this.#bytes.toString("latin1", 0, length);
      this.#bytes = this.#bytes.subarray(length);
      this.#waiting.shift()?.(reply);
    }
    if (this.#closed) for (const resolve of this.#waiting.splice(0)) resolve("closed");
  }
}
