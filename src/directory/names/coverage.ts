/**
 * Names that a list accepts without listing them. If the next list names one as disabled or moved, it goes from accepted to
 * refused, and only who has its text knows that: its stem and the patterns that cover it are not in its fingerprint.
 */
import { furtherCandidates } from "../address/canonical.ts";
import { fingerprint } from "../address/fingerprint.ts";
import type { DomainPolicy } from "../address/policy.ts";
import { isAcceptedState } from "../formats/shard.ts";
import { fingerprintIn } from "../formats/single-changes.ts";
import type { DomainKey } from "../keys.ts";
import { type Visit, withCovered } from "./difference.ts";

/** What a list said of names that it did not list. */
export interface Coverage {
  /** Tails of names that it accepted by another entry, or as postmaster; null: nobody says, so that all may be. */
  readonly covered: ReadonlySet<number> | null;
  /** Whether it accepted everybody else. */
  readonly catchall: boolean;
}

/** Nobody else was accepted. */
export const NO_COVERAGE: Coverage = { covered: new Set(), catchall: false };

/** An entry by which a list may accept a name that it does not list. */
export interface OtherEntry {
  readonly print: Uint8Array;
  readonly isPattern: boolean;
}

/** How a list may accept a name that it does not list. */
export interface OtherWays {
  /** The one that decides first. */
  readonly entries: readonly OtherEntry[];
  /** Whether the policy accepts it as postmaster. */
  readonly isPostmaster: boolean;
}

/**
 * How a list under a policy may accept a name that it does not list.
 * @param name canonical
 * @param hasPatterns whether it has patterns, or may defer what one covers that left
 */
export const otherWays = (
  { names }: Pick<DomainKey, "names">,
  name: string,
  policy: DomainPolicy,
  hasPatterns: boolean,
): OtherWays => ({
  entries: furtherCandidates(name, policy, hasPatterns, name).map(({ name: other, matched }) => ({
    print: fingerprintIn(fingerprint(names, other)),
    isPattern: matched === "pattern",
  })),
  isPostmaster: policy.postmaster && name === "postmaster",
});

/**
 * Whether a list accepts a name that it does not list, or may defer it since it was accepted lately.
 * @param isLeaving whether names left the list lately. One of them may be how it accepted this name: nobody looks which
 * @param stateOf what it has of an entry, below 0 if nothing
 */
export function isCovered(
  { entries, isPostmaster }: OtherWays,
  isLeaving: boolean,
  stateOf: (entry: OtherEntry) => number,
): boolean {
  const mayBeDeferred = isLeaving && entries.length > 0;
  for (const entry of entries) {
    const state = stateOf(entry);
    if (state >= 0) return mayBeDeferred || isAcceptedState(state);
  }
  return mayBeDeferred || isPostmaster;
}

/** Visits differences as a check sees them: a newly listed name that is refused may have been accepted. */
export const visitCovered = (visit: Visit, { covered, catchall }: Coverage): Visit =>
  withCovered(visit, (tail) => catchall || (covered?.has(tail) ?? true));
