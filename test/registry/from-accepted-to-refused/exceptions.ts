/**
 * What the Registry does not keep yet of the law: in each of these cases somebody may be refused at once. An entry goes
 * when its case is closed; the test then fails if it is still needed.
 */
import type { Manifest, Verdict } from "../../../src/directory/index.ts";
import type { Said } from "./law.ts";

/** What is known of a domain at one moment. */
export interface Moment {
  readonly head: Manifest | null;
  readonly said: Said;
}

interface Case {
  readonly before: Manifest;
  readonly after: Manifest;
  readonly is: Verdict | undefined;
}

/** The first that applies is the reason. */
export const EXCEPTIONS = {
  "a name or a pattern is disabled or moved": ({ is }) => is === "disabled" || is === "moved",
} as const satisfies Readonly<Record<string, (it: Case) => boolean>>;

export type Exception = keyof typeof EXCEPTIONS;

/** The exception that allows a recipient to be refused between two moments; null if none does. */
export function exceptionFor(local: string, before: Moment, after: Moment): Exception | null {
  if (before.head === null || after.head === null) return null;
  const it: Case = { before: before.head, after: after.head, is: after.said.get(local) };
  const found = Object.entries(EXCEPTIONS).find(([, applies]) => applies(it));
  return found === undefined ? null : (found[0] as Exception);
}
