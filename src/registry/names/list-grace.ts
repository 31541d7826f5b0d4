/** From when on a new generation refuses: the list-wide grace of law 4. */
import {
  type ListRules,
  losesUnnamed,
  type ManifestRecord,
  MOST_LIST_GRACE,
  refusesAgainAt,
} from "../../directory/index.ts";
import { Damage } from "../failure.ts";
import type { Head, Records } from "../generations/records.ts";
import { lastDeparture } from "./compute-departures.ts";

/** What is known of lists now. */
export interface GraceContext {
  readonly records: Records;
  readonly now: number;
}

/** A generation that is to be made. */
export interface Coming extends ListRules {
  readonly head: Head | null;
  /** Whether it is not known who is accepted until now: parts of the list are damaged. */
  readonly isLost: boolean;
}

/**
 * At once, unless it may refuse recipients that nobody can name. Every later generation waits as long, also one that follows
 * a deletion.
 * @param left the domain's last list, null if there is none
 * @returns Unix milliseconds; 0: at once
 */
export function refusesFromOf(
  { records, now }: GraceContext,
  { head, isLost, ...after }: Coming,
  left: ManifestRecord | null,
): number {
  if (left === null) return isLost ? refusesAgainAt(now, after.policy.grace) : 0;
  const deletedUntil = head?.manifest.deletedUntil ?? null;
  // Everybody has been refused since a deletion that is over.
  if (deletedUntil !== null && deletedUntil <= now) return 0;
  if (deletedUntil === null && !isLost && !losesUnnamed(left, after)) return left.refusesFrom;
  const targetOf = ({ policy: { alias } }: ListRules): ManifestRecord | null =>
    alias === null ? null : (records.lastList(alias)?.manifest ?? null);
  const most = now + MOST_LIST_GRACE;
  const target = targetOf(left);
  // It answered until now, and all lists of it are damaged.
  if (left.policy.alias !== null && target === null) return most;
  const lists = [left, target, targetOf(after)].filter((list) => list !== null);
  const grace = Math.max(after.policy.grace, ...lists.map(({ policy }) => policy.grace));
  // The new list cannot keep departures of these, or is not answered from its own.
  const departed = lists.map((list) => {
    try {
      return Math.min(most, lastDeparture(records, list) * 1000);
    } catch (error) {
      if (error instanceof Damage) return most;
      throw error;
    }
  });
  return Math.max(refusesAgainAt(now, grace), ...departed, ...lists.map(({ refusesFrom }) => refusesFrom));
}
