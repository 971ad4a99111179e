/**
 * The conformance suite for implementations of GroupTransport: `@lockstep/framework/conformance`. It knows no test runner;
 * it takes the `describe` and `it` of yours.
 *
 * ```ts
 * import { describe, it } from "vitest";
 * import { localMember, registerConformance } from "@lockstep/framework/conformance";
 *
 * registerConformance({ describe, it }, "my transport", {
 *   nodes: [1, 2, 3],
 *   open: async (nodeId) => localMember(myTransport(nodeId)),
 *   tellsQuorum: false,
 * });
 * ```
 */
import { missingCapabilities } from "./conformance/bed.js";
import type { Capability, ConformanceBed } from "./conformance/bed.js";
import type { ConformanceCase } from "./conformance/conformance-case.js";
import { departureCases } from "./conformance/departure-cases.js";
import { joiningCases } from "./conformance/joining-cases.js";
import { messageCases } from "./conformance/message-cases.js";
import { ringCases } from "./conformance/ring-cases.js";
import { Scene } from "./conformance/scene.js";

export { localMember } from "./conformance/local-member.js";
export type { Burst, Capability, ConformanceBed, ConformanceMember, MemberEvent, NetworkFaults, NodeFaults, ProcessFaults } from "./conformance/bed.js";
export type { ConformanceCase } from "./conformance/conformance-case.js";

export const conformanceCases: readonly ConformanceCase[] = [...joiningCases, ...messageCases, ...departureCases, ...ringCases];

/** Runs one case on a bed and cleans up after it. Rejects with what does not hold. */
export async function runConformanceCase(bed: ConformanceBed, conformanceCase: ConformanceCase): Promise<void> {
  const scene = new Scene(bed);
  try {
    await conformanceCase.run(scene);
  } catch (error) {
    const seen = await scene.abandon();
    if (seen.length > 0 && error instanceof Error) error.message += `\nWhat no transport may do, and was seen:\n${seen.join("\n")}`;
    throw error;
  }
  await scene.end();
}

/** A case that a bed cannot run, and what the bed would have to offer for it. */
export interface LeftOutCase {
  readonly name: string;
  readonly missing: readonly Capability[];
}

export interface TestApi {
  describe(name: string, declare: () => void): unknown;
  it(name: string, run: () => Promise<void>, timeoutMs: number): unknown;
}

/** A case waits for a dozen things in turn; each has the bed's own timeout and message, which should come first. */
const caseTimeoutMs = 120_000;

/**
 * Declares a test for each case that the bed can run, and prints which it cannot. Returns those, so that a caller whose bed
 * should be able to run all can say so. `bed` is asked for nothing before the first test runs, but for its capabilities.
 */
export function registerConformance(api: TestApi, name: string, bed: ConformanceBed): readonly LeftOutCase[] {
  const leftOut: LeftOutCase[] = [];
  api.describe(`${name} as a group transport`, () => {
    for (const each of conformanceCases) {
      const missing = missingCapabilities(bed, each.needs);
      if (missing.length > 0) leftOut.push({ name: each.name, missing });
      else api.it(each.name, async () => runConformanceCase(bed, each), caseTimeoutMs);
    }
  });
  for (const each of leftOut) console.warn(`Not checked for ${name}, for want of ${each.missing.join(" and ")}: ${each.name}`);
  return leftOut;
}
