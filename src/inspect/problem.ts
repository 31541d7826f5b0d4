/** Something wrong with a deployment, and what to do about it. */
export class Problem extends Error {
  readonly hint: string;

  constructor(message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** What a step throws that does not apply here. @see StepResult */
export class NotHere extends Error {}

/** As many names as a person reads. */
export const some = (names: readonly string[]): string =>
  names.length <= 10 ? names.join(", ") : `${names.slice(0, 10).join(", ")} and ${names.length - 10} more`;
