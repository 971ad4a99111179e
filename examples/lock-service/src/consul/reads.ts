/** Reads, at once or when there is something new (Consul's blocking queries), and the headers that tell about them. */
import type { KeysState } from "../machine/keys.js";
import type { LockState } from "../machine/machine.js";
import type { Service } from "../server/service.js";
import type { ConsulCall, Reading } from "./call.js";

export interface Read<T> {
  /** Of what is read: changes with it, never goes back, and is not 0. */
  readonly index: number;
  /** There is something. A call that waits for what is not there does not end because something else has changed. */
  readonly found: boolean;
  readonly content: T;
}

export interface Query<T> {
  read(state: LockState): Read<T>;
  /** What stands for the part of the state that is read, and costs little to look at: as long as it is the same, there is nothing new. */
  part(state: LockState): unknown;
}

/** Of a query for keys: looked at when some key has changed. */
export function partOfKeys(look: (keys: KeysState) => unknown): (state: LockState) => unknown {
  let seen: KeysState | undefined;
  let part: unknown;
  return ({ keys }) => {
    if (keys !== seen) part = look(keys);
    seen = keys;
    return part;
  };
}

/** Since when this replica has not been in touch with a majority. */
export class Contact {
  readonly #service: Service;
  readonly #stopListening: () => void;
  #lost: number | undefined;

  constructor(service: Service) {
    this.#service = service;
    this.#stopListening = service.replica.onRoleChange(() => this.#look());
    this.#look();
  }

  get known(): boolean {
    return this.#lost === undefined;
  }

  /** Milliseconds. */
  get age(): number {
    return this.#lost === undefined ? 0 : Math.round(performance.now() - this.#lost);
  }

  close(): void {
    this.#stopListening();
  }

  #look(): void {
    const { role } = this.#service.replica;
    if (role === "active") this.#lost = undefined;
    else this.#lost ??= performance.now();
  }
}

export function setContactHeaders({ reply }: ConsulCall, contact: Contact): void {
  void reply.header("x-consul-knownleader", String(contact.known)).header("x-consul-lastcontact", String(contact.age));
}

export async function read<T>(call: ConsulCall, contact: Contact, query: Query<T>): Promise<T> {
  const { index, content } = await readOrWait(call, query, call.reading);
  setContactHeaders(call, contact);
  void call.reply.header("x-consul-index", String(index));
  return content;
}

async function readOrWait<T>({ service, reply }: ConsulCall, query: Query<T>, { consistency, waitMs, after }: Reading): Promise<Read<T>> {
  const state = await service.read(consistency);
  let last = query.read(state);
  if (after === 0n || BigInt(last.index) > after) return last;
  let part = query.part(state);
  let known = after;
  const news = await service.calls.until((now) => {
    const newPart = query.part(now);
    if (newPart === part) return undefined;
    part = newPart;
    const found = query.read(now);
    // Not there, and was not before: whatever has changed, it was something else.
    if (!found.found && !last.found) known = BigInt(found.index);
    last = found;
    return BigInt(found.index) > known ? found : undefined;
  }, withJitter(waitMs), reply.raw);
  return news ?? last;
}

/** Many wait for the same time, and should not all come back at once. */
function withJitter(waitMs: number): number {
  return waitMs + Math.floor((Math.random() * waitMs) / 16);
}
