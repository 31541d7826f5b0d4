/** What changes between the patterns of two generations. */
import { HELD } from "./departures.ts";
import { compareEntries, isAcceptedState, type Visit } from "./difference.ts";
import { type PatternTable, patternShardOf } from "./pattern-table.ts";
import { entriesOf } from "./shard.ts";

/** Visits each pattern that differs between two tables. */
export const comparePatterns = (before: Uint8Array | null, after: Uint8Array | null, visit: Visit): void =>
  compareEntries(entriesOf(patternShardOf(before)), entriesOf(patternShardOf(after)), visit);

/**
 * Whether a change may refuse names that were accepted or deferred, in a number that nobody can count: a pattern that
 * accepts or defers goes, or one refuses from now on. A new one that refuses hides subaddresses, catch-all and shorter
 * patterns.
 */
export function losesByPattern(before: Uint8Array | null, after: Uint8Array | null): boolean {
  let loses = false;
  comparePatterns(before, after, (_, was, is) => {
    loses ||= !isAcceptedState(is) && (isAcceptedState(was) || was < 0);
  });
  return loses;
}

/**
 * The patterns of the generation that follows `before`. Names under a pattern that left are deferred for the grace, as
 * a name that left is.
 *
 * @param before those of the previous generation, null if it has none or cannot be compared
 * @param now Unix milliseconds
 * @param grace seconds
 * @param marked seconds for which departures stay after their grace, as marks for the brake
 * @param isHeld whether the brake holds names that left: then patterns that left are held with them
 * @returns null if neither list nor departures have any, so that the manifest is one without patterns
 */
export function patternsAfter(
  before: PatternTable | null,
  table: Uint8Array | null,
  now: number,
  grace: number,
  { marked = 0, isHeld = false }: { readonly marked?: number; readonly isHeld?: boolean } = {},
): PatternTable | null {
  if (isHeld && before !== null) return { table, departedUntil: HELD };
  const stays =
    before !== null && before.departedUntil !== HELD && (before.departedUntil + marked) * 1000 > now;
  let departedUntil = stays ? before.departedUntil : 0;
  const until = Math.ceil(now / 1000) + grace;
  comparePatterns(before?.table ?? null, table, (_, was, is) => {
    if (grace > 0 && is < 0 && isAcceptedState(was)) departedUntil = Math.max(departedUntil, until);
  });
  return table === null && departedUntil === 0 ? null : { table, departedUntil };
}
