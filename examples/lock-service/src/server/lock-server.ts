/** The server of one replica: its port, its routes, and its end. */
import type { LockReplica } from "../machine/machine.js";
import { startApp, type App } from "./app.js";
import type { Listener } from "./listener.js";
import type { TlsFiles } from "./tls.js";
import { Service, type ServiceParts } from "./service.js";

export interface LockServerParts extends Omit<ServiceParts, "port"> {
  readonly listener: Listener;
}

export class LockServer {
  readonly replica: LockReplica;
  readonly service: Service;
  readonly port: number;
  /** http://HOST:PORT or https://…, as clients on this machine reach it. */
  readonly url: string;
  readonly #listener: Listener;
  readonly #app: App;

  private constructor(service: Service, listener: Listener, app: App) {
    this.replica = service.replica;
    this.service = service;
    this.port = service.port;
    this.url = `${listener.secure ? "https" : "http"}://${service.host.includes(":") ? `[${service.host}]` : service.host}:${service.port}`;
    this.#listener = listener;
    this.#app = app;
  }

  static async start({ listener, ...parts }: LockServerParts): Promise<LockServer> {
    const service = new Service({ ...parts, port: listener.port });
    return new LockServer(service, listener, await startApp(service, listener));
  }

  /** Connections from now on get these certificates. */
  replaceTls(tls: TlsFiles): void {
    this.#listener.replaceTls(tls);
  }

  /** Ends all connections, then stops the replica. */
  async close(): Promise<void> {
    await this.endConnections();
    await this.replica.stop();
  }

  /**
   * Takes no more connections, ends what hangs with 503, answers what was taken, and closes. What is not done after
   * `limits.closeTimeoutMs` is cut. The replica goes on, as others may need its acknowledgements to answer.
   */
  async endConnections(): Promise<void> {
    this.service.endCalls();
    await this.#listener.close(this.service.limits.closeTimeoutMs);
    await this.#app.close();
  }
}
