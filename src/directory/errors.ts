/** What can be wrong with a directory's bytes, keys and names. */
export type DirectoryFault =
  /** Bytes that are truncated, altered or in an unknown format. */
  | "damaged"
  /** The key does not fit the bytes (law 5). */
  | "key-mismatch"
  /** The canonicaliser does not fit the bytes (law 5). */
  | "canonicaliser-mismatch"
  /** Input of a person or a client that cannot be used. */
  | "invalid";

/** The error class of `src/directory`. A check never turns one of these into a refusal. */
export class DirectoryError extends Error {
  readonly fault: DirectoryFault;

  constructor(fault: DirectoryFault, message: string) {
    super(message);
    this.name = "DirectoryError";
    this.fault = fault;
  }
}

/** An error that says that stored bytes are damaged. */
export const damaged = (what: string): DirectoryError => new DirectoryError("damaged", what);
