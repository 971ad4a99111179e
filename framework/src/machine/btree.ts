/**
 * sorted-btree, the B+ tree under Table. It is a CommonJS module whose default export Node and bundlers give out
 * differently to `import`, also of types; require() gives the same everywhere.
 */
import { createRequire } from "node:module";
import type sortedBTree = require("sorted-btree");

const require = createRequire(import.meta.url);

export const { default: BTree } = require("sorted-btree") as typeof sortedBTree;
export type BTree<K, V> = sortedBTree.default<K, V>;

/** Both: trees of keys that do not overlap share their nodes with it, so that it costs next to nothing. */
export const { default: union } = require("sorted-btree/extended/union.js") as typeof import("sorted-btree/extended/union.js");

export const { bulkLoad } = require("sorted-btree/extended/bulkLoad.js") as typeof import("sorted-btree/extended/bulkLoad.js");
