/** A resource for the demonstration: one value behind HTTP, which refuses tokens older than it has seen, if it is told to. */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { StaleTokenError } from "../client/errors.js";
import { TokenGuard } from "../client/token-guard.js";

export interface Write {
  readonly by: string;
  readonly token: number;
  readonly value: string;
}

export class GuardedFile {
  readonly #server: Server;
  /** What was accepted, in its order. */
  readonly accepted: Write[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async listen({ checksTokens }: { readonly checksTokens: boolean }): Promise<GuardedFile> {
    const guard = new TokenGuard();
    const server = createServer((request, response) => {
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const write = JSON.parse(Buffer.concat(chunks).toString()) as Write;
        try {
          if (checksTokens) guard.admit(write.token);
          file.accepted.push(write);
          response.writeHead(200).end("written");
        } catch (error) {
          if (!(error instanceof StaleTokenError)) throw error;
          response.writeHead(412).end(error.message);
        }
      })().catch((error: unknown) => response.writeHead(400).end(String(error)));
    });
    const file = new GuardedFile(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return file;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
