/** What a checker found. The first one counts: what comes after it may be its consequence. */
export class Violation extends Error {
  override readonly name = "Violation";
  /** The rule that was broken, in a word or two: "invariant 2", "linearizability", "liveness". */
  readonly rule: string;

  constructor(rule: string, what: string, options?: ErrorOptions) {
    super(`${rule}: ${what}`, options);
    this.rule = rule;
  }
}

export function violated(rule: string, what: string): never {
  throw new Violation(rule, what);
}
