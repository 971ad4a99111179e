/** A command line that cannot be followed: says what is wrong and what would be right. The program ends with exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}
