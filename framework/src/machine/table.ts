/**
 * Table: an ordered, persistent map for the big collections of a state. Immer copies a whole object or Map at its first
 * change; a Table shares its B+ tree between versions and copies the few nodes on the changed path, so that a change costs
 * microseconds with a million keys too, and keeping an old version (a snapshot being sent) costs nothing.
 *
 * A Table that is part of a state never changes. In a handler, `draft.table` is a draft like everything else: set(),
 * delete(), clear() and update() work on it. A new Table may be filled the same way until it becomes part of a state.
 * Values that are stored are sealed: deeply frozen, drafts in them replaced by what they are now. Change one with update().
 */
import { immerable, isDraft, original, type Draft } from "immer";
import { LockstepError } from "../errors.js";
import { maxRowDepth } from "../codec/plain.js";
import { BTree, bulkLoad, union } from "./btree.js";
import { abandon, isThenable } from "../promises.js";
import { drafts } from "./drafts.js";
import { seal, sealSelf } from "./seal.js";
import { checkKey, compareKeys, keyToStore, type TableKey } from "./table-key.js";
import { scan, type ScanOptions } from "./table-scan.js";

/** Keys per node: small nodes are cheaper to copy, large ones make a lower tree. Between 16 and 64 the difference is small. */
const nodeSize = 32;
/** Nodes are filled to this part by bulk loading, so that the first changes do not split every one of them. */
const loadFactor = 0.8;
/** Rows loaded in one go, a few milliseconds: nobody waits for a Table of millions to be built. */
const loadedAtOnce = 4096;

const treeKey: unique symbol = Symbol("lockstep.table.tree");

/** How often the content of a Table was about to change in this process: who sees it unchanged knows that no Table has changed. */
let writes = 0;

/** @internal */
export function tableWrites(): number {
  return writes;
}

/** Tables of a TableBuilder: sealed when they are finished, even if what they are part of is sealed before. */
const unfinished = new WeakSet<object>();
/** Tables that are sealed: that one is frozen does not tell, handlers may freeze things too. */
const sealedTables = new WeakSet<object>();

export class Table<K extends TableKey, V> {
  static readonly [immerable] = true;
  /** Typed unknown so that Draft<Table> stays a Table. Only touched through treeOf() and ownTree(). */
  readonly [treeKey]: unknown;

  /**
   * From entries in any order; the last one of a key counts. A copy of another Table costs nothing, whatever its size.
   * Name the types when the entries are literals: `new Table<string, number>([["a", 1]])`, or the key's type is "a".
   */
  constructor(entries?: Iterable<readonly [K, V]>) {
    const copied = entries instanceof Table ? (entries as Table<K, V>) : undefined;
    this[treeKey] = copied === undefined ? new BTree<K, V>(undefined, compareKeys, nodeSize) : shareTree(copied);
    if (entries !== undefined && copied === undefined) for (const [key, value] of entries) this.set(key, value);
  }

  /**
   * From keys in strictly ascending order, in one pass: several times as fast as the constructor.
   * @throws LockstepError INVALID_INPUT if the keys are not in order, or there are not as many values.
   */
  static fromSorted<K extends TableKey, V>(keys: readonly K[], values: readonly V[]): Table<K, V> {
    if (keys.length !== values.length) throw new LockstepError("INVALID_INPUT", `Table.fromSorted: ${keys.length} keys, but ${values.length} values.`);
    const builder = new TableBuilder<K, V>();
    for (let i = 0; i < keys.length; i++) builder.append(keys[i] as K, values[i] as V);
    return builder.build();
  }

  get size(): number {
    return treeOf(this).size;
  }

  get(key: K): V | undefined {
    return treeOf(this).get(checkKey(key));
  }

  has(key: K): boolean {
    return treeOf(this).has(checkKey(key));
  }

  /** The entry with the lowest key. */
  first(): [K, V] | undefined {
    return treeOf(this).nextHigherPair(undefined);
  }

  /** The entry with the highest key. */
  last(): [K, V] | undefined {
    return treeOf(this).nextLowerPair(undefined);
  }

  /** All entries by ascending key, as they are now: changes made meanwhile are not seen. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** Entries of a range, by ascending key or descending, as they are now: changes made meanwhile are not seen. */
  entries(options: ScanOptions<K> = {}): IterableIterator<[K, V]> {
    return scan(shareTree(this), options, (key, value) => [key, value]);
  }

  keys(options: ScanOptions<K> = {}): IterableIterator<K> {
    return scan(shareTree(this), options, (key) => key);
  }

  values(options: ScanOptions<K> = {}): IterableIterator<V> {
    return scan(shareTree(this), options, (_key, value) => value);
  }

  /** A new Table with the entry set; this one stays as it is. */
  with(key: K, value: V): Table<K, V> {
    return new Table(this).set(key, value);
  }

  /** A new Table without the key; this one stays as it is. */
  without(key: K): Table<K, V> {
    const table = new Table(this);
    table.delete(key);
    return table;
  }

  /** @throws LockstepError MACHINE_FAULT unless this is a draft, or new. */
  set(key: K, value: V): this {
    const stored = keyToStore(key);
    const sealed = seal(value, maxRowDepth);
    ownTree(this).set(stored, sealed);
    return this;
  }

  /** Whether the key was there. @throws LockstepError MACHINE_FAULT unless this is a draft, or new. */
  delete(key: K): boolean {
    const checked = checkKey(key);
    if (!treeOf(this).has(checked)) return false;
    return ownTree(this).delete(checked);
  }

  /** Deletes the entries before a key, and returns how many. @throws LockstepError MACHINE_FAULT unless this is a draft, or new. */
  deleteBefore(key: K): number {
    const end = checkKey(key);
    const first = treeOf(this).minKey();
    if (first === undefined || compareKeys(first, end) >= 0) return 0;
    return ownTree(this).deleteRange(first, end, false);
  }

  /** @throws LockstepError MACHINE_FAULT unless this is a draft, or new. */
  clear(): void {
    ownTree(this).clear();
  }

  /**
   * Changes the value of a key: `change` gets a draft of it (or the value itself, if it is a primitive) and changes it or
   * returns another.
   * @returns whether the key was there; if not, `change` was not called.
   * @throws LockstepError MACHINE_FAULT unless this is a draft, or new.
   */
  update(key: K, change: (value: Draft<V>) => V | Draft<V> | void): boolean {
    const checked = checkKey(key);
    const tree = treeOf(this);
    const value = tree.get(checked);
    if (value === undefined && !tree.has(checked)) return false;
    const changed = changeValue(value, change as (value: unknown) => unknown);
    if (changed !== value) this.set(checked, changed as V);
    return true;
  }

  /**
   * For seal.ts: from here on only drafts of it can be changed. @internal
   * @throws LockstepError INVALID_INPUT if there is more to it than its rows.
   */
  [sealSelf](): Table<K, V> {
    if (sealedTables.has(this) || unfinished.has(this)) return this;
    checkOnlyRows(this);
    // Somebody else has frozen it: it stays theirs.
    const table = Object.isFrozen(this) ? new Table<K, V>(this) : this;
    // Immer's current() copies a drafted Table with the tree that its draft goes on changing: part from it.
    if (table === this) writeTree(this, treeOf(this).clone());
    sealedTables.add(table);
    return Object.freeze(table);
  }
}

/** Of a primitive, what `change` returns; of anything else, also what it did to its draft, or its copy where there are no drafts. */
function changeValue(value: unknown, changeOf: (value: unknown) => unknown): unknown {
  const change = (draft: unknown): unknown => notPromised(changeOf(draft));
  if (value instanceof Date || value instanceof Uint8Array) {
    const copy = value instanceof Date ? new Date(value) : value.slice();
    const changed = change(copy);
    return changed === undefined ? copy : changed;
  }
  return drafts.produce(value, change);
}

/** An async function goes on when the value is no draft any more. */
function notPromised(changed: unknown): unknown {
  if (!isThenable(changed)) return changed;
  abandon(changed);
  throw new LockstepError("MACHINE_FAULT", "update() takes a synchronous function, and this one returned a promise.");
}

/** Only rows are written: the rest would be lost where the state is taken over in a snapshot, and digests would not tell. */
function checkOnlyRows(table: object): void {
  if (Object.getPrototypeOf(table) !== Table.prototype) throw new LockstepError("INVALID_INPUT", "An instance of a class that extends Table cannot be replicated: use a Table, and functions that take one.");
  const more = Reflect.ownKeys(table).find((key) => key !== treeKey);
  if (more !== undefined) throw new LockstepError("INVALID_INPUT", `A Table with a property (${String(more)}) cannot be replicated: rows are set with set(), and read with get().`);
}

function treeOf<K extends TableKey, V>(table: Table<K, V>): BTree<K, V> {
  return table[treeKey] as BTree<K, V>;
}

function writeTree<K extends TableKey, V>(table: Table<K, V>, tree: BTree<K, V>): void {
  (table as { [treeKey]: unknown })[treeKey] = tree;
}

/** A tree that shares its nodes with the table's: whoever writes first copies what it writes to. */
function shareTree<K extends TableKey, V>(table: Table<K, V>): BTree<K, V> {
  return treeOf(table).clone();
}

/** The tree to write to: a draft's own, shared with its base until the first write. */
function ownTree<K extends TableKey, V>(table: Table<K, V>): BTree<K, V> {
  const tree = treeOf(table);
  writes++;
  if (isDraft(table)) {
    if (tree !== treeOf(original<Table<K, V>>(table))) return tree;
    const own = tree.clone();
    writeTree(table, own);
    return own;
  }
  if (Object.isFrozen(table)) {
    throw new LockstepError("MACHINE_FAULT", "This Table is part of a state, which never changes. In a handler use the draft (draft.table.set(…)); for a Table inside a Table's value use update(); elsewhere with() and without() make new Tables.");
  }
  return tree;
}

/** Fills a Table with rows in order, when the Table itself must exist first: for restoring snapshots. @internal */
export class TableBuilder<K extends TableKey, V> {
  /** Not to be read before build(). */
  readonly table = new Table<K, V>();
  #tree: BTree<K, V> | undefined;
  /** Rows that are not in the tree yet. */
  #keys: K[] = [];
  #values: V[] = [];

  constructor() {
    unfinished.add(this.table);
  }

  get size(): number {
    return (this.#tree?.size ?? 0) + this.#keys.length;
  }

  /** @throws LockstepError INVALID_INPUT if the key is not above the last one. */
  append(key: K, value: V): void {
    const stored = keyToStore(key);
    const last = this.#keys.at(-1) ?? this.#tree?.maxKey();
    if (last !== undefined && compareKeys(last, stored) >= 0) throw new LockstepError("INVALID_INPUT", `The keys of a Table at ${this.size - 1} and ${this.size} are not in ascending order.`);
    this.#keys.push(stored);
    this.#values.push(seal(value, maxRowDepth));
    if (this.#keys.length === loadedAtOnce) this.#load();
  }

  #load(): void {
    const part = bulkLoad(this.#keys, this.#values, nodeSize, compareKeys, loadFactor);
    this.#tree = this.#tree === undefined ? part : union<BTree<K, V>, K, V>(this.#tree, part, () => { throw new LockstepError("INVARIANT_VIOLATED", "the keys of a Table are in order"); });
    this.#keys = [];
    this.#values = [];
  }

  /** The Table with its rows: still new, until it is sealed. */
  build(): Table<K, V> {
    if (this.#keys.length > 0) this.#load();
    if (this.#tree !== undefined) writeTree(this.table, this.#tree);
    unfinished.delete(this.table);
    return this.table;
  }
}
