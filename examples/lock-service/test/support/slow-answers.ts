/** A way to a replica on which answers can be held up, and requests until their client is gone. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

export class SlowAnswers {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  /** Answers with this text are held. */
  holding: string | undefined;
  #passed = "";
  #cut = false;
  readonly #lateRequests: Buffer[] = [];
  readonly #replica: { readonly port: number; readonly host: string };
  /** Requests with this text do not come to the replica before sendLate(). */
  delaying: string | undefined;

  private constructor(server: Server, replica: { readonly port: number; readonly host: string }) {
    this.#server = server;
    this.#replica = replica;
  }

  static async to(url: string): Promise<SlowAnswers> {
    const { hostname, port } = new URL(url);
    const server = createServer((client) => {
      if (way.#cut) {
        client.destroy();
        return;
      }
      const replica = connect(Number(port), hostname);
      for (const [socket, other] of [[client, replica], [replica, client]] as const) {
        way.#sockets.add(socket);
        socket.on("error", () => other.destroy()).on("close", () => other.destroy());
      }
      client.on("data", (bytes: Buffer) => {
        if (way.delaying !== undefined && bytes.includes(way.delaying)) way.#lateRequests.push(bytes);
        else replica.write(bytes);
      });
      replica.on("data", (bytes: Buffer) => {
        if (way.holding !== undefined && bytes.includes(way.holding)) way.#held.push(() => client.write(bytes));
        else {
          way.#passed += bytes.toString("latin1");
          client.write(bytes);
        }
      });
    });
    const way = new SlowAnswers(server, { port: Number(port), host: hostname });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Whether an answer with this text has come to a client. */
  passed(text: string): boolean {
    return this.#passed.includes(text);
  }

  /** Nobody gets through before mend(). */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  letGo(): void {
    this.holding = undefined;
    for (const send of this.#held.splice(0)) send();
  }

  /** As a replica that stood still reads them: their clients have gone. */
  sendLate(): void {
    this.delaying = undefined;
    for (const bytes of this.#lateRequests.splice(0)) connect(this.#replica).on("error", () => undefined).end(bytes).resume();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
