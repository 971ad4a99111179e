/** A client's line to the resource: one notice after the other, each answered. */
import { once } from "node:events";
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Notice } from "./records.js";

export class ResourceLine {
  readonly #socket: Socket;
  readonly #waiting: ((accepted: boolean) => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface(socket).on("line", (line) => { this.#waiting.shift()?.((JSON.parse(line) as { accepted: boolean }).accepted); });
  }

  static async open(path: string): Promise<ResourceLine> {
    const socket = createConnection(path);
    await once(socket, "connect");
    return new ResourceLine(socket);
  }

  /** Sends at once: nothing of this process runs in between. Resolves to whether it was accepted. */
  tell(notice: Notice): Promise<boolean> {
    this.#socket.write(`${JSON.stringify(notice)}\n`);
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }
}
