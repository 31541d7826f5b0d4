/** Names of which a publisher may not have said whether the list before accepted them. */
import {
  areComparable,
  type Content,
  type Generation,
  graceOfSuspended,
  isAccepted,
  newlyRefused,
} from "./generation.ts";
import type { Name } from "./names.ts";

/** Seconds by which a grace may be longer, since its last second says what left together. */
const SLACK = 8;

/** See {@link Generation.coverable}. */
export function coverableAfter(
  before: Generation | undefined,
  after: Content,
  now: number,
  ended: ReadonlySet<string>,
): Map<string, number> {
  const coverable = new Map<string, number>();
  if (before === undefined || !areComparable(before, after)) return coverable;
  for (const [entry, until] of before.coverable)
    if (!isAccepted(after.list.get(entry)) && !ended.has(entry)) coverable.set(entry, until);
  const grace = graceOfSuspended(before, after, now);
  if (grace === 0) return coverable;
  for (const entry of newlyRefused(before, after))
    if (!ended.has(entry)) coverable.set(entry, Math.ceil(now / 1000) + grace + SLACK);
  return coverable;
}

/** Whether a name may be deferred, although it was not accepted as far as the model knows. */
export const mayBeDeferred = ({ coverable }: Generation, { base }: Name, now: number): boolean =>
  (coverable.get(base) ?? 0) * 1000 > now;

/** Whether the grace of a name ends at this moment or at one close to it: doubtful names may decide what left together. */
export function mayEnd({ departures }: Generation, { base }: Name, now: number): boolean {
  const until = departures.get(base) ?? 0;
  return until % 2 === 1 && Math.abs(until * 1000 - now) <= 1000 * SLACK;
}
