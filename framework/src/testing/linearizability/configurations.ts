/**
 * Points of the search for a linear order, and which of them need not be looked at any more.
 *
 * A configuration is what Lowe's cache remembers of one: which operations have been put in order, and the state they led to.
 * Completed operations before `next` are all in; those after it that are in are few, as they were called before it returned.
 */
export interface Configuration<S> {
  /** The completed operation that must be put in order before any that was called after its return. */
  readonly next: number;
  /** Completed ones after `next` that are in, ascending. */
  readonly ahead: readonly number[];
  /** How many of each group of unknown outcome took effect. */
  readonly used: readonly number[];
  readonly state: S;
}

/** Everything seen at a place, less what is no better than something else: the one that used fewer unknown operations can do all that the other can. */
export class Seen {
  readonly #places = new Map<string, (readonly number[])[]>();

  /** False if it is no better than what was seen before. */
  add(place: string, used: readonly number[]): boolean {
    const known = this.#places.get(place);
    if (known === undefined) {
      this.#places.set(place, [used]);
      return true;
    }
    if (known.some((other) => isWithin(other, used))) return false;
    this.#places.set(place, [...known.filter((other) => !isWithin(used, other)), used]);
    return true;
  }
}

function isWithin(less: readonly number[], more: readonly number[]): boolean {
  return less.every((count, index) => count <= (more[index] ?? 0));
}
