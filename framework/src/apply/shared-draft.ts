/**
 * SharedDraft: one draft for several commands, as long as sharing it cannot show.
 *
 * It would show where two places of a state hold one object: within the draft, who changes it in one place changes it in both; behind
 * its end, each place has its own. So a draft ends behind a command that did more outside of Tables than give properties of the
 * state values without parts. A Table keeps nothing that handlers could go on changing: what is stored is sealed, and update() works
 * in a draft of its own.
 *
 * Immer's own draft of the state stands behind a proxy that sees what is stored in it and which parts are taken out.
 */
import { current, isDraft, original, type Draft } from "immer";
import { hasParts, kindOf } from "../codec/plain.js";
import { Table, tableWrites } from "../machine/table.js";
import { closeDraft, openDraft } from "./run-handler.js";

/** What was done to a draft since the last look: nothing; something that cannot show; something that could. */
export type Change = "nothing" | "values" | "parts";

function isChanged(part: unknown): boolean {
  try {
    return current(part) !== original(part);
  } catch {
    return true; // it was stored in itself: current() has no end, and the draft cannot be closed either
  }
}

type Properties = Record<PropertyKey, unknown>;

/** What the proxy stands before: an empty object, because for each property of the one behind it, it has to ask there too. */
const nothing: Properties = {};

export class SharedDraft<S> implements ProxyHandler<Properties> {
  /** What handlers get. */
  readonly draft: Draft<S>;
  readonly #base: S;
  readonly #inner: Draft<S>;
  /** The last Table that was taken out, and of which property: mostly it is the next one, too. */
  #table: unknown;
  #tableKey: PropertyKey | undefined;
  /** Drafts of anything else that was taken out. */
  #parts: unknown[] = [];
  #stored: Change = "nothing";
  #tableWrites = tableWrites();

  constructor(base: S) {
    this.#base = base;
    this.#inner = openDraft(base);
    this.draft = kindOf(base) === "object" ? (new Proxy(nothing, this) as Draft<S>) : this.#inner;
    if (this.draft === this.#inner && !(base instanceof Table)) this.#parts.push(this.#inner);
  }

  look(): Change {
    let change = this.#stored;
    if (change === "nothing" && this.#tableWrites !== tableWrites()) change = "values";
    if (this.#parts.length > 0 && this.#parts.some(isChanged)) change = "parts";
    this.#stored = "nothing";
    this.#tableWrites = tableWrites();
    return change;
  }

  /** The next state. @throws LockstepError INVALID_INPUT if something in it cannot be replicated. */
  close(): S {
    return closeDraft(this.#inner, this.#base);
  }

  get(_: unknown, key: PropertyKey): unknown {
    const inner = this.#inner as Properties;
    if (key === this.#tableKey) return this.#table;
    const value = inner[key];
    if (!hasParts(value) || !isDraft(value)) return value;
    if (value instanceof Table) {
      this.#table = value;
      this.#tableKey = key;
    } else if (!this.#parts.includes(value)) this.#parts.push(value);
    return value;
  }

  set(_: unknown, key: PropertyKey, value: unknown): boolean {
    const inner = this.#inner as Properties;
    this.#store(key, hasParts(value) ? "parts" : "values");
    inner[key] = value;
    return true;
  }

  deleteProperty(_: unknown, key: PropertyKey): boolean {
    const inner = this.#inner as Properties;
    this.#store(key, "values");
    return delete inner[key];
  }

  has(_: unknown, key: PropertyKey): boolean {
    return Reflect.has(this.#inner as Properties, key);
  }

  ownKeys(): (string | symbol)[] {
    return Reflect.ownKeys(this.#inner as Properties);
  }

  getOwnPropertyDescriptor(_: unknown, key: PropertyKey): PropertyDescriptor | undefined {
    return Reflect.getOwnPropertyDescriptor(this.#inner as Properties, key);
  }

  getPrototypeOf(): object | null {
    return Reflect.getPrototypeOf(this.#inner as Properties);
  }

  defineProperty(_: unknown, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    return Reflect.defineProperty(this.#inner as Properties, key, descriptor);
  }

  preventExtensions(): boolean {
    return false;
  }

  setPrototypeOf(_: unknown, prototype: object | null): boolean {
    return Reflect.setPrototypeOf(this.#inner as Properties, prototype);
  }

  #store(key: PropertyKey, change: Change): void {
    if (key === this.#tableKey) this.#tableKey = undefined;
    if (this.#stored !== "parts") this.#stored = change;
  }
}
