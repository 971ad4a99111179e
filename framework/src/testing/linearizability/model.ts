/** What a correct object does when its operations come one at a time. */
export interface Model<S, I, O> {
  readonly initial: S;
  /** A state that was left never comes back. */
  readonly monotonic: boolean;
  /** Pure and total: every input does something in every state. The output is never undefined, which stands for an unknown one. */
  step(state: S, input: I): { readonly state: S; readonly output: O };
  // As people read them. Two are equal if and only if they read alike.
  stateKey(state: S): string;
  inputKey(input: I): string;
  outputKey(output: O): string;
  /** What can be told of an operation without knowing the state; undefined: its output is unknown. Makes the search short. */
  tell(input: I, output: O | undefined): Told;
}

export interface Told {
  /** It leaves every state in which this comes back as it is. */
  readonly readOnly: boolean;
  /** stateKey() of the only state in which this comes back; undefined: there are more. */
  readonly before: string | undefined;
  /** stateKey() of the state that it leads to, whatever the state was before, if it changes it; undefined: that depends. */
  readonly after: string | undefined;
}
