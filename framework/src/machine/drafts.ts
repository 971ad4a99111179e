/**
 * The framework's own immer: drafts of machine states and of values in Tables.
 *
 * Auto-freezing is off because it walks everything reachable that is not frozen yet, and checks nothing; seal.ts freezes
 * and checks what is new instead, in one pass.
 */
import { enableMapSet, Immer } from "immer";

enableMapSet();

export const drafts = new Immer({ autoFreeze: false });
