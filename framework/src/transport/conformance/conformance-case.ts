/** One sentence about transports, and how to see whether it holds. */
import type { Capability } from "./bed.js";
import type { Scene } from "./scene.js";

export interface ConformanceCase {
  /** What a transport does, as a sentence. */
  readonly name: string;
  /** What a bed must offer for it. */
  readonly needs: readonly Capability[];
  /** Throws if it does not hold. */
  readonly run: (scene: Scene) => Promise<void>;
}
