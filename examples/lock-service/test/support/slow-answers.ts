/** A way to a replica on which answers can be held up. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";

export class SlowAnswers {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  /** Answers with this text are held. */
  holding: string | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(url: string): Promise<SlowAnswers> {
    const { hostname, port } = new URL(url);
    const server = createServer((client) => {
      const replica = connect(Number(port), hostname);
      for (const [socket, other] of [[client, replica], [replica, client]] as const) {
        way.#sockets.add(socket);
        socket.on("error", () => other.destroy()).on("close", () => other.destroy());
      }
      client.pipe(replica);
      replica.on("data", (bytes: Buffer) => {
        if (way.holding !== undefined && bytes.includes(way.holding)) way.#held.push(() => client.write(bytes));
        else client.write(bytes);
      });
    });
    const way = new SlowAnswers(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get held(): number {
    return this.#held.length;
  }

  letGo(): void {
    this.holding = undefined;
    for (const send of this.#held.splice(0)) send();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
