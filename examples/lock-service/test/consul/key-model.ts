/** What operations on keys should do, said another way: plain maps, copied whole before each transaction. Shares only types. */
import type { KeyOperation } from "../../src/machine/keys-operations.js";

interface ModelKey {
  value: string;
  flags: string;
  created: number;
  modified: number;
  locked: number;
  session: string;
}

export interface ModelSession {
  readonly id: string;
  readonly behavior: "release" | "delete";
  readonly lockDelayMs: number;
  deadline: number;
  ended: boolean;
}

export class KeyModel {
  now = 0;
  keys = new Map<string, ModelKey>();
  readonly sessions: ModelSession[] = [];
  readonly delays = new Map<string, number>();
  index = 1;

  /** What the call answers, entries as JSON and failures as texts. */
  run(operations: readonly KeyOperation[]): readonly string[] {
    const before = new Map(Array.from(this.keys, ([key, row]) => [key, { ...row }]));
    const early = operations.map((operation) => this.#early(operation)).filter((text) => text !== "");
    if (early.length > 0) return early;
    const answers: string[] = [];
    const failures: string[] = [];
    for (const operation of operations) {
      const result = this.#one(operation);
      if (typeof result === "string") failures.push(result);
      else answers.push(...result.map((key) => this.#show(key, operation.verb.startsWith("get"))));
    }
    if (failures.length > 0) {
      this.keys = before;
      return failures;
    }
    if (this.#text(before) !== this.#text(this.keys)) this.index++;
    return answers;
  }

  end(session: ModelSession, delayed: boolean): void {
    if (session.ended) return;
    session.ended = true;
    const held = Array.from(this.keys).filter(([, row]) => row.session === session.id);
    if (held.length === 0) return;
    this.index++;
    for (const [key, row] of held) {
      if (session.behavior === "delete") this.keys.delete(key);
      else Object.assign(row, { session: "", modified: this.index });
      if (delayed && session.lockDelayMs > 0) this.delays.set(key, Math.max(this.delays.get(key) ?? 0, this.now + session.lockDelayMs));
    }
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (const session of this.sessions.toSorted((a, b) => a.deadline - b.deadline)) {
      if (session.deadline > end || session.ended) continue;
      this.now = session.deadline;
      this.end(session, true);
    }
    this.now = end;
  }

  #show(key: string, withValue: boolean): string {
    const { value, flags, created, modified, locked, session } = this.keys.get(key) ?? { value: "", flags: "0", created: 0, modified: 0, locked: 0, session: "" };
    return JSON.stringify([key, withValue && value !== "" ? value : null, flags, created, modified, locked, session === "" ? null : session]);
  }

  #text(keys: ReadonlyMap<string, ModelKey>): string {
    return JSON.stringify(Array.from(keys).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  #early({ verb, key }: KeyOperation): string {
    if (key === "" && verb !== "delete-tree") return "Must provide key";
    return verb === "lock" && (this.delays.get(key) ?? 0) > this.now ? `failed to lock key "${key}" due to lock delay` : "";
  }

  /** Keys to show, or what is wrong. */
  #one({ verb, key, value = "", flags = "0", index = "0", session = "" }: KeyOperation): readonly string[] | string {
    const row = this.keys.get(key);
    const under = Array.from(this.keys.keys()).filter((each) => each.startsWith(key)).toSorted();
    const write = (holder: string, locked: number): readonly string[] => {
      const next = { value, flags, created: row?.created ?? this.index + 1, modified: this.index + 1, locked, session: holder };
      const same = row !== undefined && row.value === value && row.flags === flags && row.session === holder && row.locked === locked;
      if (!same) this.keys.set(key, next);
      return [key];
    };
    if (verb === "set") return write(row?.session ?? "", row?.locked ?? 0);
    if (verb === "cas") return String(row?.modified ?? 0) === index ? write(row?.session ?? "", row?.locked ?? 0) : `failed to set key "${key}", index is stale`;
    if (verb === "lock") {
      if (session === "") return "missing session";
      if (!this.sessions.some(({ id, ended }) => id === session && !ended)) return `invalid session "${session}"`;
      if (row?.session === session) return write(session, row.locked);
      return row === undefined || row.session === "" ? write(session, (row?.locked ?? 0) + 1) : `failed to lock key "${key}", lock is already held`;
    }
    if (verb === "unlock") {
      if (session === "") return "missing session";
      return row?.session === session ? write("", row.locked) : `failed to unlock key "${key}", lock isn't held, or is held by another session`;
    }
    if (verb === "get") return row === undefined ? `key "${key}" doesn't exist` : [key];
    if (verb === "get-or-empty") return [key];
    if (verb === "get-tree") return under;
    if (verb === "check-not-exists") return row === undefined ? [] : `key "${key}" exists`;
    if (verb === "check-index") {
      if (row === undefined) return `failed to check index, key "${key}" doesn't exist`;
      return String(row.modified) === index ? [key] : `failed index check for key "${key}", current modify index ${row.modified} != ${index}`;
    }
    if (verb === "check-session") {
      if (row === undefined) return `failed to check session, key "${key}" doesn't exist`;
      return row.session === session ? [key] : `failed session check for key "${key}", current session "${row.session}" != "${session}"`;
    }
    if (verb === "delete-cas" && row !== undefined && String(row.modified) !== index) return `failed to delete key "${key}", index is stale`;
    if (verb === "delete" || verb === "delete-cas" || verb === "delete-tree") {
      for (const each of verb === "delete-tree" ? under : [key]) this.keys.delete(each);
      return [];
    }
    return `unknown KV verb "${verb}"`;
  }
}
