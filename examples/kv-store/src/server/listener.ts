/** A TCP port, taken before there is anything to serve: a port in use must be known before a replica joins its group. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

export class Listener {
  readonly #server: Server;
  /** Connections that came before serve(). */
  #early: Socket[] = [];
  #serve: (socket: Socket) => void = (socket) => { this.#early.push(socket); };

  private constructor() {
    // Half open: a client that sends its commands and a FIN still gets its answers.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      // A peer that is gone needs no answer, whoever holds its socket: "close" follows.
      socket.on("error", () => socket.destroy());
      this.#serve(socket);
    });
  }

  /** Rejects with Node's own error (code EADDRINUSE, EACCES, …). Port 0: any that is free. */
  static async listen(host: string, port: number): Promise<Listener> {
    const listener = new Listener();
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen(port, host, () => {
        listener.#server.off("error", reject);
        // Such as EMFILE while accepting: that connection is lost, the others are not.
        listener.#server.on("error", () => undefined);
        resolve();
      });
    });
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Gives every connection to `serve`, those that have waited first. */
  serve(serve: (socket: Socket) => void): void {
    this.#serve = serve;
    const early = this.#early;
    this.#early = [];
    for (const socket of early) serve(socket);
  }

  /** Takes no more connections; those that were given away are not touched. */
  close(): void {
    for (const socket of this.#early) socket.destroy();
    this.#early = [];
    this.#serve = (socket) => socket.destroy();
    this.#server.close();
  }
}
