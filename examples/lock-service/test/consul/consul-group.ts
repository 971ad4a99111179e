/** Three replicas in memory, and calls to them by HTTP as they are: nothing between the test and the bytes. */
import { Agent, request } from "undici";
import { startEmbedded, type EmbeddedGroup, type EmbeddedStartOptions } from "../../src/index.js";

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

type Method = "GET" | "HEAD" | "PUT" | "POST" | "DELETE" | "PATCH" | "OPTIONS";

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export class ConsulGroup {
  readonly group: EmbeddedGroup;
  readonly #agent = new Agent({ connections: 100 });

  private constructor(group: EmbeddedGroup) {
    this.group = group;
  }

  /** Sessions may be shorter than Consul's, so that tests see them end. */
  static async start({ limits, ...options }: EmbeddedStartOptions = {}): Promise<ConsulGroup> {
    return new ConsulGroup(await startEmbedded([0, 0, 0], { logger: silent, ...options, limits: { consulLeastTtlMs: 500, ...limits } }));
  }

  /** Of replicas numbered from 1. */
  url(replica: number): string {
    return this.group.servers[replica - 1]?.url ?? "";
  }

  port(replica: number): number {
    return this.group.servers[replica - 1]?.port ?? 0;
  }

  role(replica: number): string | undefined {
    return this.group.servers[replica - 1]?.replica.role;
  }

  async call(replica: number, method: Method, path: string, body?: string | Buffer | object, { headers = {}, signal }: CallOptions = {}): Promise<Answer> {
    const answer = await request(`${this.url(replica)}${path}`, {
      method, headers, dispatcher: this.#agent, signal: signal ?? null,
      ...(body === undefined ? {} : { body: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
    });
    const flat = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
    return { status: answer.statusCode, headers: Object.fromEntries(flat), text: Buffer.from(await answer.body.arrayBuffer()).toString("latin1") };
  }

  /** The text of an answer that must be a success. */
  async ok(replica: number, method: Method, path: string, body?: string | Buffer | object, options?: CallOptions): Promise<string> {
    const { status, text } = await this.call(replica, method, path, body, options);
    if (status !== 200) throw new Error(`${method} ${path} was answered with ${status}: ${text}`);
    return text;
  }

  async session(replica: number, input: object = {}, options?: CallOptions): Promise<string> {
    return (JSON.parse(await this.ok(replica, "PUT", "/v1/session/create", input, options)) as { readonly ID: string }).ID;
  }

  async close(): Promise<void> {
    await this.group.close();
    await this.#agent.close();
  }
}
