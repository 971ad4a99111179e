/** Where cluster time goes on in a new view, by what its members said in their States. */
import { equalBallots, highestBallot, type Ballot } from "./ballot.js";
import type { StateReport, TimeStep } from "./messages.js";

export interface ViewTime {
  /** Milliseconds: where it stood last. */
  readonly stoodAtMs: number;
  /**
   * Those that were in the last view, by incarnation, with what they counted; the first one is who left it last, and it goes on from
   * when that one said so. Empty: there is nobody left.
   */
  readonly inStep: ReadonlyMap<string, TimeStep>;
  /** By incarnation: whose clock is right by definition, as nobody else is sure. */
  readonly reference: string | undefined;
}

/**
 * Who was in an earlier view only knows nothing: in later ones time may have stood still without it. A process that came back with
 * its log knows the times in it.
 *
 * @param trusted Those that the view's log is from.
 * @param targetBallot Of that log.
 */
export function viewTime(trusted: readonly StateReport[], targetBallot: Ballot): ViewTime | undefined {
  const lastView = highestBallot(trusted.flatMap(({ time }) => (time?.step === undefined ? [] : [time.step.view])));
  const inStep: { readonly incarnation: string; readonly stoodAtMs: number; readonly step: TimeStep }[] = [];
  const restarted: string[] = [];
  let stoodAtMs = Number.NEGATIVE_INFINITY;
  for (const { incarnation, ballot, time } of trusted) {
    if (time === undefined) continue;
    const { step } = time;
    if (step === undefined ? !equalBallots(ballot, targetBallot) : !equalBallots(step.view, lastView)) continue;
    stoodAtMs = Math.max(stoodAtMs, time.stoodAtMs);
    if (step === undefined) restarted.push(incarnation);
    else inStep.push({ incarnation, stoodAtMs: time.stoodAtMs, step });
  }
  if (stoodAtMs === Number.NEGATIVE_INFINITY) return undefined;
  inStep.sort((a, b) => b.stoodAtMs - a.stoodAtMs);
  const reference = inStep.some(({ step }) => step.sure) ? undefined : (inStep[0]?.incarnation ?? restarted[0]);
  return { stoodAtMs, inStep: new Map(inStep.map(({ incarnation, step }) => [incarnation, step])), reference };
}
