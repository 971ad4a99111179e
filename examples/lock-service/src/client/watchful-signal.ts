/**
 * A signal that looks before it says that it is not aborted. In a process that was stopped (SIGSTOP, a paused machine), what had arrived meanwhile is handled
 * before the timers that are due: by a timer alone, a critical section would go on with a signal that does not know yet.
 */
export function watchful(signal: AbortSignal, look: () => void): AbortSignal {
  const native = AbortSignal.prototype;
  const looked = (name: "aborted" | "reason"): PropertyDescriptor => ({
    get: (): unknown => {
      look();
      return Reflect.get(native, name, signal);
    },
  });
  const throwIfAborted = (): void => {
    look();
    native.throwIfAborted.call(signal);
  };
  return Object.defineProperties(signal, { aborted: looked("aborted"), reason: looked("reason"), throwIfAborted: { value: throwIfAborted } });
}
