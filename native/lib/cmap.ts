/** The daemon's configuration and statistics: libcmap, reading only. Keys are listed in cmap_keys(7). */
import { hasHalfCharacters, numberOf, wrong } from "./arguments.js";
import { CorosyncError, isCorosyncError } from "./errors.js";
import { Handle, type HandleOptions } from "./handle.js";
import { loadNative, type NativeCmap } from "./native.js";

export type CmapType = "int8" | "uint8" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "uint64" | "float" | "double" | "string" | "binary";
/** cmap_value_types_t, which begins with 1. */
export const types: readonly CmapType[] = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float", "double", "string", "binary"];

/** 64-bit integers are bigint, smaller ones and floats number, "binary" is Uint8Array. */
export type CmapValue = number | bigint | string | Uint8Array;

export interface CmapEntry {
  readonly key: string;
  readonly type: CmapType;
  readonly value: CmapValue;
}

export type CmapMap = "icmap" | "stats";
/** cmap_map_t */
export const maps: readonly CmapMap[] = ["icmap", "stats"];

/** CMAP_KEYNAME_MAXLEN */
export const keyBytes = 255;

export interface CmapOptions extends HandleOptions {
  /** "icmap" (default): configuration and runtime state. "stats": counters. */
  readonly map?: CmapMap;
}

export class Cmap extends Handle {
  protected readonly native: NativeCmap;

  /** @throws CorosyncError NOT_BUILT, NOT_INSTALLED, LIBRARY (not running), ACCESS, INVALID_PARAM, … */
  static async open(options: CmapOptions = {}): Promise<Cmap> {
    const cmap = new Cmap(options);
    await cmap.openWith(() => cmap.native.open());
    return cmap;
  }

  private constructor(options: CmapOptions) {
    super("cmap_initialize_map", options, ["map"]);
    const map = numberOf("cmap_initialize_map", "map", options.map ?? "icmap", maps);
    this.native = new (loadNative("cmap").Cmap)(map);
  }

  /** The value of a key; undefined if there is none. @throws CorosyncError NAME_TOO_LONG, INVALID_PARAM */
  async get(key: string): Promise<CmapEntry | undefined> {
    checkKey(key, "cmap_get");
    try {
      return toEntry(await this.request("cmap_get", () => this.native.get(key)));
    } catch (error) {
      if (isCorosyncError(error, "NOT_EXIST")) return undefined;
      throw error;
    }
  }

  /** All entries whose key begins with `prefix`, in no particular order; all there are for "". @throws CorosyncError NAME_TOO_LONG, INVALID_PARAM */
  async entries(prefix: string): Promise<readonly CmapEntry[]> {
    checkKey(prefix, "cmap_iter_init");
    return (await this.request("cmap_iter_next", () => this.native.entries(prefix))).map(toEntry);
  }
}

function checkKey(key: string, call: string): void {
  if (typeof key !== "string" || key.includes("\0")) throw wrong(call, "a key is a string without NUL");
  if (hasHalfCharacters(key)) throw wrong(call, "a key is Unicode: it has half a character in it, which UTF-8 does not tell from others");
  if (Buffer.byteLength(key) > keyBytes) throw new CorosyncError("NAME_TOO_LONG", call, `${Buffer.byteLength(key)} bytes`);
}

function toEntry([key, type, value]: readonly [string, number, CmapValue]): CmapEntry {
  return { key, type: types[type - 1] ?? "binary", value };
}
