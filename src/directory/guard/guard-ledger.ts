/**
 * The guard's record of a domain's last day. With it, no list of that day can lose more than its share over any
 * sequence of commits (law 4), although each commit is compared with the head alone.
 *
 * For each list of the day the ledger counts how many of its names are refused now. A commit that refuses a name raises
 * the count of each list that accepts it; a commit that accepts the name again lowers them. The name's spans of
 * generations say which lists those are; a name without spans has been in its present state all day. Names that an
 * override refuses are removed from the earlier lists and are not counted.
 *
 * If the ledger grows too large, it merges spans so that counts become too high, never too low.
 */

import type { Steps } from "../steps.ts";
import { type GuardedList, listsOfDay } from "./guarded-lists.ts";
import { Charges, type SpanBuckets, type SpanStep, updateSpans } from "./span-buckets.ts";

/** A commit, as the ledger sees it. */
export interface LedgerStep extends SpanStep {
  /** Names that the new list accepts or defers. */
  readonly accepted: number;
  /** When it becomes the head, Unix milliseconds. */
  readonly now: number;
}

/**
 * Applies a commit.
 * @param lists the lists of the day before the commit, the oldest first
 * @returns the lists of the day with their new counts, the commit's own last
 */
export function* advanceLedger(
  lists: readonly GuardedList[],
  buckets: SpanBuckets,
  step: LedgerStep,
): Steps<GuardedList[]> {
  const day = listsOfDay(lists, step.now);
  const charges = new Charges(day);
  if (!step.forced) charges.add({ from: 0, to: step.generation }, step.changes.uncounted);
  yield* updateSpans(buckets, day, charges, step);
  const after = day.map((list, i) => ({
    ...list,
    // Kept between none and all, since counts may be too high.
    lost: Math.max(0, Math.min(list.accepted, list.lost + charges.of(i))),
    superseded: list.superseded ?? Math.ceil(step.now / 1000),
  }));
  const { generation, accepted, forced, changes } = step;
  const hidden = changes.hidden === undefined || forced ? {} : { hidden: changes.hidden };
  return [...after, { generation, accepted, lost: 0, superseded: null, ...hidden }];
}
