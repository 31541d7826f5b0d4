/** What went wrong, in the words of the contract. */
import type { FaultKind } from "../api/index.ts";
import { DirectoryError } from "../directory/index.ts";

/** What is wrong with stored bytes that could not be opened; `otherwise` where it is no mismatch. */
export function faultKindOf(error: unknown, otherwise: FaultKind): FaultKind {
  if (!(error instanceof DirectoryError)) return otherwise;
  if (error.fault === "key-mismatch") return "key_mismatch";
  return error.fault === "canonicaliser-mismatch" ? "canonicaliser_mismatch" : otherwise;
}

/** The stack of an unexpected error. */
export const traceOf = (error: unknown): string =>
  error instanceof Error && error.stack !== undefined ? error.stack : String(error);
