/** What a checker sees of a replica's protocol, as it happens. It looks on; it must not throw, nor change anything. */
import type { AppliedEntry } from "./apply/types.js";
import type { CoreEvent, Effect } from "./core/events.js";
import type { CoreState } from "./core/state.js";
import type { LogEntry } from "./log/log.js";

export interface ProtocolObserver {
  /** After a step of the core, before its effects are performed. */
  stepped(core: CoreState, event: CoreEvent, effects: readonly Effect[]): void;
  applied(core: CoreState, position: number, entry: LogEntry, applied: AppliedEntry): void;
}

export const unobserved: ProtocolObserver = {
  stepped: () => undefined,
  applied: () => undefined,
};
