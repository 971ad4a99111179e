/** Serves the methods of an object to the process that started this one, call by call over IPC: the other end of served-process.ts. */

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** The methods that can be called from another process. */
export type Calls<S> = Extract<{ [M in keyof S]: S[M] extends (...args: never[]) => Promise<unknown> ? M : never }[keyof S], string>;

export function serveCalls(server: object): void {
  const obey = async ({ id, method, args }: Call): Promise<void> => {
    try {
      const run = ((server as Record<string, unknown>)[method] as (...args: readonly unknown[]) => Promise<unknown>).bind(server);
      process.send?.({ id, value: await run(...args) } satisfies Answer);
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.stack ?? error.message : String(error) } satisfies Answer);
    }
  };
  process.on("message", (message) => { void obey(message as Call); });
  // The parent is gone: nobody will ask again.
  process.on("disconnect", () => { process.exit(0); });
}
