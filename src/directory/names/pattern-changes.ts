/** What changes between the patterns of two generations. */
import { HELD } from "../formats/departures.ts";
import { type PatternTable, patternShardOf } from "../formats/pattern-table.ts";
import { entriesOf } from "../formats/shard.ts";
import { compareEntries, isLost, type Visit, withCovered } from "./difference.ts";
import { deferredUntil } from "./leaver-groups.ts";

/** Visits each pattern that differs between two tables. */
export const comparePatterns = (before: Uint8Array | null, after: Uint8Array | null, visit: Visit): void =>
  compareEntries(entriesOf(patternShardOf(before)), entriesOf(patternShardOf(after)), visit);

/** The same, as if every name under a new pattern that refuses was accepted before: nobody knows which were. */
export const compareCovered = (before: Uint8Array | null, after: Uint8Array | null, visit: Visit): void =>
  comparePatterns(
    before,
    after,
    withCovered(visit, () => true),
  );

/**
 * Whether a change may refuse names that were accepted or deferred, in a number that nobody can count: a pattern that
 * accepts or defers goes, or one refuses from now on. A new one that refuses hides subaddresses, catch-all and shorter
 * patterns.
 */
export function losesByPattern(before: Uint8Array | null, after: Uint8Array | null): boolean {
  let loses = false;
  compareCovered(before, after, (_, was, is) => {
    loses ||= isLost(was, is);
  });
  return loses;
}

/**
 * The patterns of the generation that follows `before`. Names under a pattern that left or refuses from now on are
 * deferred for the grace, as such a name is, and for as long as any name that left.
 *
 * @param before those of the previous generation, null if it has none or cannot be compared
 * @param now Unix milliseconds
 * @param grace seconds
 * @param marked seconds for which departures stay after their grace, as marks for the brake
 * @param isHeld whether the brake holds names that left: then patterns that left are held with them
 * @param last of departures that the brake does not hold, the last second until which one is deferred, or was
 * @returns null if neither list nor departures have any, so that the manifest is one without patterns
 */
export function patternsAfter(
  before: PatternTable | null,
  table: Uint8Array | null,
  now: number,
  grace: number,
  {
    marked = 0,
    isHeld = false,
    last = 0,
  }: { readonly marked?: number; readonly isHeld?: boolean; readonly last?: number } = {},
): PatternTable | null {
  if (isHeld && before !== null) return { table, departedUntil: HELD };
  // Patterns may have left while others were held.
  const earlier = before?.departedUntil === HELD ? last : (before?.departedUntil ?? 0);
  let departedUntil = (earlier + marked) * 1000 > now ? earlier : 0;
  compareCovered(before?.table ?? null, table, (_, was, is) => {
    if (!isLost(was, is)) return;
    if (grace > 0) departedUntil = Math.max(departedUntil, deferredUntil(now, grace, is >= 0));
    // Its own departure may end some seconds later, with the group that it leaves in.
    if (last * 1000 > now) departedUntil = Math.max(departedUntil, last);
  });
  return table === null && departedUntil === 0 ? null : { table, departedUntil };
}
