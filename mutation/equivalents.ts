/** The mutants that no test can notice, each with the reason; equivalents.json is the list. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./areas.ts";
import type { Outcome } from "./run.ts";

export interface Equivalent {
  readonly file: string;
  /** The code, with its white space as one blank. */
  readonly code: string;
  /** What the mutant puts in its place. */
  readonly becomes: string;
  /** Why nothing changes by it. */
  readonly why: string;
}

export const EQUIVALENTS: readonly Equivalent[] = JSON.parse(
  readFileSync(join(ROOT, "mutation", "equivalents.json"), "utf8"),
);

const isSame = (a: Omit<Equivalent, "why">, b: Omit<Equivalent, "why">): boolean =>
  a.file === b.file && a.code === b.code && a.becomes === b.becomes;

export const isEquivalent = (outcome: Outcome): boolean => EQUIVALENTS.some((each) => isSame(each, outcome));

/** Entries that a run over all of their files did not meet as survivors. */
export const staleAmong = (files: readonly string[], survivors: readonly Outcome[]): Equivalent[] =>
  EQUIVALENTS.filter((each) => files.includes(each.file) && !survivors.some((one) => isSame(each, one)));
