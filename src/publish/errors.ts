export type PublishFault =
  /** A list that cannot be used as it stands; nothing is published. */
  | "input"
  /** The guard of law 4, or a canary that the list lacks. */
  | "guard"
  /** The edge says something that does not fit what was asked. */
  | "protocol";

/** The one error family of `src/publish`. */
export class PublishError extends Error {
  readonly fault: PublishFault;
  /** One line for each thing that is wrong: `FILE:LINE: reason`. */
  readonly details: readonly string[];
  /** What to do next. */
  readonly hint: string;

  constructor(fault: PublishFault, message: string, hint: string, details: readonly string[] = []) {
    super(message);
    this.name = "PublishError";
    this.fault = fault;
    this.details = details;
    this.hint = hint;
  }
}
