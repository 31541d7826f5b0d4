/**
 * What the Registry does not keep yet of the law: in each of these cases somebody may be refused at once. An entry goes
 * when its case is closed; the test then fails if it is still needed.
 */
import type { Manifest } from "../../../src/directory/index.ts";
import type { Said } from "./law.ts";

/** What is known of a domain at one moment. */
export interface Moment {
  readonly head: Manifest | null;
  readonly said: Said;
  /** What is said without a list-wide grace. */
  readonly listed: Said;
}

interface Case {
  readonly before: Moment;
  readonly after: Moment;
  /** Whether it was listed as disabled or moved since it was accepted last. */
  readonly wasDisabled: boolean;
}

/** The first that applies is the reason. */
export const EXCEPTIONS = {
  "a name or a pattern is disabled or moved": ({ wasDisabled }) => wasDisabled,
} as const satisfies Readonly<Record<string, (it: Case) => boolean>>;

export type Exception = keyof typeof EXCEPTIONS;

/** The exception that allows a recipient to be refused between two moments; null if none does. */
export function exceptionFor(it: Case): Exception | null {
  const found = Object.entries(EXCEPTIONS).find(([, applies]) => applies(it));
  return found === undefined ? null : (found[0] as Exception);
}
