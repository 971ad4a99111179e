/** Promises where none may be. Nobody waits for them: without a handler of its own, the rejection of one would end the process. */

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null && "then" in value && typeof value.then === "function";
}

/** Whatever comes of it is of no use to anybody. */
export function abandon(promise: PromiseLike<unknown>): void {
  const ignore = (): void => {};
  promise.then(ignore, ignore);
}
