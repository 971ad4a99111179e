/** What the benchmark uses of npm's node-zookeeper-client, which brings no types. */
declare module "node-zookeeper-client" {
  import type { EventEmitter } from "node:events";

  interface Refusal extends Error {
    getCode(): number;
  }

  interface Client extends EventEmitter {
    connect(): void;
    close(): void;
    create(path: string, data: Buffer, mode: number, done: (error: Error | null, path: string) => void): void;
    mkdirp(path: string, done: (error: Error | null) => void): void;
    remove(path: string, done: (error: Error | null) => void): void;
    getChildren(path: string, done: (error: Error | null, children: string[]) => void): void;
    getData(path: string, watcher: () => void, done: (error: Refusal | null) => void): void;
  }

  const zookeeper: {
    createClient(servers: string, options: { readonly sessionTimeout: number }): Client;
    readonly CreateMode: { readonly EPHEMERAL_SEQUENTIAL: number };
    readonly Exception: { readonly NO_NODE: number };
  };
  export type { Client };
  export default zookeeper;
}
