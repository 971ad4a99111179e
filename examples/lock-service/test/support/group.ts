/** A group to test against: three replicas in memory, and calls over real HTTP, each answer of which the OpenAPI document judges. */
import { Agent, request } from "undici";
import { startEmbedded, type EmbeddedGroup, type EmbeddedStartOptions } from "../../src/index.js";
import { Document, type OpenApi } from "./document.js";

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface Answered {
  readonly status: number;
  // eslint-disable-next-line typescript/no-explicit-any -- what it is, each test says
  readonly body: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export class TestGroup {
  readonly group: EmbeddedGroup;
  readonly document: Document;
  readonly #agent: Agent;

  private constructor(group: EmbeddedGroup, document: Document, agent: Agent) {
    this.group = group;
    this.document = document;
    this.#agent = agent;
  }

  /** With a document of its own, unless it is to add to what another has seen. */
  static async start(options: EmbeddedStartOptions = {}, agent = new Agent({ connections: 200 }), judge?: Document): Promise<TestGroup> {
    const group = await startEmbedded([0, 0, 0], { logger: silent, ...options });
    const { body } = await request(`${group.servers[0]?.url}/v1/openapi.json`, { dispatcher: agent });
    const document = (await body.json()) as OpenApi;
    return new TestGroup(group, judge ?? new Document(document), agent);
  }

  /** Of replicas numbered from 1. */
  url(replica: number): string {
    return this.group.servers[replica - 1]?.url ?? "";
  }

  role(replica: number): string | undefined {
    return this.group.servers[replica - 1]?.replica.role;
  }

  async call(replica: number, method: "GET" | "PUT" | "POST" | "DELETE", path: string, { body, token, headers = {}, signal }: CallOptions = {}): Promise<Answered> {
    const answer = await request(`${this.url(replica)}${path}`, {
      method, dispatcher: this.#agent, signal: signal ?? null,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    const type = answer.headers["content-type"];
    const parsed: unknown = typeof type === "string" && type.startsWith("application/json") ? JSON.parse(text) : text;
    this.document.judge(method, path, answer.statusCode, typeof type === "string" ? type : null, parsed);
    return { status: answer.statusCode, body: parsed, headers: answer.headers };
  }

  /** A session's id. */
  async session(replica: number, input: object = {}, token?: string): Promise<string> {
    const { status, body } = await this.call(replica, "POST", "/v1/sessions", { body: input, token });
    if (status !== 201) throw new Error(`no session: ${status} ${JSON.stringify(body)}`);
    return (body as { session: string }).session;
  }

  acquire(replica: number, session: string, request: string, locks: string | readonly object[], options: object = {}, call: CallOptions = {}): Promise<Answered> {
    const wants = typeof locks === "string" ? [{ lock: locks }] : locks;
    return this.call(replica, "PUT", `/v1/sessions/${session}/requests/${encodeURIComponent(request)}`, { ...call, body: { locks: wants, ...options } });
  }

  release(replica: number, session: string, request: string, call: CallOptions = {}): Promise<Answered> {
    return this.call(replica, "DELETE", `/v1/sessions/${session}/requests/${encodeURIComponent(request)}`, call);
  }

  async close(): Promise<void> {
    await this.group.close();
    await this.#agent.close();
  }
}
