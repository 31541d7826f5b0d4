/**
 * The list-wide grace: after a change that may refuse recipients whom nobody can name, a domain refuses nobody for a while.
 * A name that left is in the departures; what a catch-all or another spelling accepted is not.
 */

import type { DomainPolicy } from "../address/policy.ts";
import { comparable } from "./difference.ts";

/** What decides, beside its names, which recipients a list accepts. */
export interface ListRules {
  readonly keyId: string;
  readonly policy: DomainPolicy;
}

/** The longest list-wide grace, milliseconds. */
export const MOST_LIST_GRACE = 86_400_000;

/**
 * Whether a list may refuse recipients that the one before it accepted and that nobody can name. A change that only accepts
 * more is none.
 */
export const losesUnnamed = (before: ListRules, after: ListRules): boolean => {
  const [was, is] = [before.policy, after.policy];
  return (
    !comparable(before, after) ||
    was.alias !== is.alias ||
    was.delimiters !== is.delimiters ||
    (was.catchall && !is.catchall) ||
    (was.postmaster && !is.postmaster)
  );
};

/** When a domain refuses again after such a change, Unix milliseconds. @param grace seconds */
export const refusesAgainAt = (now: number, grace: number): number =>
  now + Math.min(grace * 1000, MOST_LIST_GRACE);
