/**
 * A machine whose handlers find another world on every replica: wall clocks that disagree, chance of its own. A handler that asks Date,
 * performance or Math.random instead of its context then does something else on each, and the checkers see it; so does an initial state.
 */
import type { AnyCommand } from "../machine/types.js";
import type { Random } from "./random.js";
import type { SimulatedClock } from "./simulated-clock.js";
import type { SomeMachine } from "./simulated-process.js";

export function withLocalNature(machine: SomeMachine, clock: SimulatedClock, random: Random): SomeMachine {
  const nature = { Date: dateOf(clock), now: () => clock.monotonicMs(), random: () => random.next() };
  const { onMembersChanged, initialState } = machine;
  const commands: Record<string, AnyCommand<unknown>> = {};
  for (const [name, command] of Object.entries(machine.commands)) {
    commands[name] = { ...command, handler: (draft, input, context) => within(nature, () => command.handler(draft, input, context)) };
  }
  return {
    ...machine,
    commands,
    initialState: () => within(nature, initialState),
    onMembersChanged: onMembersChanged === undefined ? undefined : (draft, change, context) => within(nature, () => onMembersChanged(draft, change, context)),
  };
}

interface Nature {
  readonly Date: DateConstructor;
  readonly now: () => number;
  readonly random: () => number;
}

/** Handlers are synchronous, so the globals are back before anybody else looks. */
function within<T>(nature: Nature, run: () => T): T {
  const before = { Date: globalThis.Date, now: Reflect.get(performance, "now"), random: Math.random };
  globalThis.Date = nature.Date;
  performance.now = nature.now;
  Math.random = nature.random;
  try {
    return run();
  } finally {
    globalThis.Date = before.Date;
    performance.now = before.now;
    Math.random = before.random;
  }
}

function dateOf(clock: SimulatedClock): DateConstructor {
  const SystemDate = Date;
  return new Proxy(SystemDate, {
    construct: (target, args: unknown[], newTarget) => Reflect.construct(target, args.length === 0 ? [clock.wallMs()] : args, newTarget) as Date,
    apply: () => new SystemDate(clock.wallMs()).toString(),
    get: (target, name, receiver) => (name === "now" ? () => clock.wallMs() : (Reflect.get(target, name, receiver) as unknown)),
  });
}
