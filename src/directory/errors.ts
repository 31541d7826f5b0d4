/** Everything that can go wrong with a directory's bytes, keys and names, as one family. */
export type DirectoryFault =
  /** Bytes that are not what they should be: truncated, altered, of an unknown format. */
  | "damaged"
  /** The key does not fit the bytes (law 5). */
  | "key-mismatch"
  /** The canonicaliser does not fit the bytes (law 5). */
  | "canonicaliser-mismatch"
  /** Something handed in by a person or a client cannot be used as it stands. */
  | "invalid";

/** The one error family of `src/directory`. A check never turns one of these into a refusal. */
export class DirectoryError extends Error {
  readonly fault: DirectoryFault;

  constructor(fault: DirectoryFault, message: string) {
    super(message);
    this.name = "DirectoryError";
    this.fault = fault;
  }
}

/** @returns an error that says that stored bytes are damaged. */
export const damaged = (what: string): DirectoryError => new DirectoryError("damaged", what);
