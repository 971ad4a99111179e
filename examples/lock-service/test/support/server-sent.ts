/** Reading a stream of server-sent events. */

export interface ServerSent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: unknown;
}

export interface Stream {
  /** What has come so far, without messages that have no data. */
  readonly events: readonly ServerSent[];
  /** As a browser would send it when it reconnects. */
  readonly lastId: string | undefined;
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** Rejects if the answer is no stream. */
export async function openStream(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
  const over = new AbortController();
  const answer = await fetch(url, { headers, signal: over.signal });
  if (answer.headers.get("content-type") !== "text/event-stream; charset=utf-8") throw new Error(`${answer.status} ${await answer.text()}`);
  const stream = { events: [] as ServerSent[], lastId: undefined as string | undefined };
  const ended = read(answer, (message) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, "m").exec(message)?.[1];
    const [id, data] = [field("id"), field("data")];
    stream.lastId = id ?? stream.lastId;
    if (data !== undefined) stream.events.push({ id, event: field("event"), data: JSON.parse(data) });
  });
  return Object.assign(stream, {
    ended,
    close: async () => {
      over.abort();
      await ended;
    },
  });
}

async function read(answer: Response, tell: (message: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const messages = text.split("\n\n");
      text = messages.pop() ?? "";
      for (const message of messages) tell(message);
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "AbortError") throw error;
  }
}
