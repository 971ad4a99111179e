/**
 * What one client asked for and what came back: the whole of what a checker of histories may know.
 *
 * Times are of one clock for all clients. Operations of which one returned before the other was called happened in that order;
 * equal times leave the order open, so a counter of events makes a stricter clock than milliseconds do.
 */
export interface Operation<I, O> {
  readonly client: string;
  /** Operations on different keys are checked apart. */
  readonly key: string;
  readonly callMs: number;
  /** undefined: nothing ever came back. */
  readonly returnMs: number | undefined;
  readonly input: I;
  /** undefined: the outcome is unknown. The operation may have taken effect at any time after the call, or may do so yet, or never. */
  readonly output: O | undefined;
}

/** One whose outcome is known. */
export interface Completed<I, O> extends Operation<I, O> {
  readonly returnMs: number;
  readonly output: O & ({} | null);
}

export function isCompleted<I, O>(operation: Operation<I, O>): operation is Completed<I, O> {
  return operation.returnMs !== undefined && operation.output !== undefined;
}
