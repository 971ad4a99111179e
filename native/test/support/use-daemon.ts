/** A daemon for the tests of a file, and clients that end with each test. */
import { afterAll, afterEach, beforeAll } from "vitest";
import { Client } from "./client.js";
import { Daemon, type DaemonOptions } from "./daemon.js";

export interface DaemonFixture {
  readonly daemon: Daemon;
  /** A new client process. */
  client(nodeOptions?: readonly string[], environment?: NodeJS.ProcessEnv): Client;
}

export function useDaemon(options: DaemonOptions = {}): DaemonFixture {
  let daemon: Daemon | undefined;
  const clients: Client[] = [];
  beforeAll(async () => {
    daemon = await Daemon.start(options);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.kill()));
  });
  afterAll(async () => {
    await daemon?.stop();
  });
  const fixture = {
    get daemon(): Daemon {
      if (daemon === undefined) throw new Error("the daemon has not started");
      return daemon;
    },
    client(nodeOptions: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): Client {
      const client = new Client(fixture.daemon, nodeOptions, environment);
      clients.push(client);
      return client;
    },
  };
  return fixture;
}
