/**
 * A port with HTTP or HTTPS on it, taken before there is anything to serve: a port in use must be known before a replica joins its
 * group. Until serve() it answers that it is starting.
 */
import { createServer as createHttp, type IncomingMessage, type RequestListener, type Server, STATUS_CODES, type ServerResponse } from "node:http";
import { createServer as createHttps, type Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { retryAfterSeconds, ServiceError, type ServiceErrorCode } from "./errors.js";
import type { ServerLimits } from "./limits.js";
import type { TlsFiles } from "./tls.js";

export class Listener {
  readonly server: Server;
  readonly #tls: HttpsServer | undefined;
  readonly #sockets = new Set<Socket>();
  /** The newest of each connection: when it is finished, all before it are. */
  readonly #responses = new WeakMap<Socket, ServerResponse>();
  #serve: RequestListener = starting;

  private constructor(limits: ServerLimits, tls: TlsFiles | undefined) {
    const options = {
      maxHeaderSize: limits.headerBytes, keepAliveTimeout: limits.idleTimeoutMs, requestTimeout: limits.requestTimeoutMs, headersTimeout: limits.requestTimeoutMs,
      noDelay: true, keepAlive: true,
    };
    const listen: RequestListener = (request, response) => {
      this.#responses.set(request.socket, response);
      this.#serve(request, response);
    };
    this.#tls = tls === undefined ? undefined : createHttps({ ...options, ...tls }, listen);
    this.server = this.#tls ?? createHttp(options, listen);
    this.server.maxConnections = limits.connections;
    this.server.on("clientError", refuseMalformed);
    this.server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  /** Rejects with Node's own error (code EADDRINUSE, EACCES, …). Port 0: any that is free. */
  static async listen(host: string, port: number, limits: ServerLimits, tls?: TlsFiles): Promise<Listener> {
    const listener = new Listener(limits, tls);
    const { server } = listener;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port, backlog: 1024 }, () => {
        server.off("error", reject);
        // Such as EMFILE while accepting: that connection is lost, the others are not.
        server.on("error", () => undefined);
        resolve();
      });
    });
    return listener;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get secure(): boolean {
    return this.#tls !== undefined;
  }

  /** From now on. */
  serve(serve: RequestListener): void {
    this.#serve = serve;
  }

  /** Connections from now on get these certificates. */
  replaceTls(tls: TlsFiles): void {
    this.#tls?.setSecureContext(tls);
  }

  /** Takes no more connections, and resolves when those that there are have ended: idle ones now, others when they are answered or the time is over. */
  async close(timeoutMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => { this.server.close(() => resolve()); });
    this.#closeIdle();
    const sweep = setInterval(() => this.#closeIdle(), 10);
    const cut = setTimeout(() => this.server.closeAllConnections(), timeoutMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  /** Node's own closeIdleConnections() spares those on which nothing was ever asked. */
  #closeIdle(): void {
    for (const socket of this.#sockets) if (this.#responses.get(socket)?.writableFinished !== false) socket.destroy();
  }
}

function starting(_request: IncomingMessage, response: ServerResponse): void {
  const { status, body } = new ServiceError("NOT_READY", "this replica is starting");
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "retry-after": String(retryAfterSeconds) }).end(JSON.stringify(body));
}

/** What Node could not read as a request. The connection is of no use after it. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = ofParser[error.code ?? ""] ?? "INVALID_REQUEST";
  const { status, body } = new ServiceError(code, `the request cannot be read: ${error.message}`);
  const text = JSON.stringify(body);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`);
}

const ofParser: Readonly<Record<string, ServiceErrorCode>> = { HPE_HEADER_OVERFLOW: "HEADERS_TOO_LARGE" };
