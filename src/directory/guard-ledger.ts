/**
 * What the guard remembers of a domain's last day, so that no list of that day can lose more than its share over any
 * sequence of commits (law 4), while one commit is compared with the head alone.
 *
 * For each list of the day the ledger counts how many of its names are refused now. A commit that refuses a name raises
 * the counts of all lists that accept it, one that accepts it again lowers them. Which lists those are is told by the
 * name's spans of generations; a name without spans is in the state that it has now throughout the day. What an
 * override takes away is taken out of the earlier lists: it is not counted.
 *
 * Where there is too much to remember, counts end up too high and never too low.
 */
import { type GuardedList, listsOfDay } from "./guarded-lists.ts";
import { Charges, type SpanBuckets, type SpanStep, updateSpans } from "./span-buckets.ts";

/** A commit, as the ledger takes it in. */
export interface LedgerStep extends SpanStep {
  /** Names that the new list accepts or defers. */
  readonly accepted: number;
  /** When it becomes the head, Unix milliseconds. */
  readonly now: number;
}

/**
 * Takes a commit in.
 * @param lists of the day before it, the oldest first
 * @returns the lists of the day with their new counts, the commit's own last
 */
export function advanceLedger(
  lists: readonly GuardedList[],
  buckets: SpanBuckets,
  step: LedgerStep,
): GuardedList[] {
  const day = listsOfDay(lists, step.now);
  const charges = new Charges(day);
  if (step.changes.uncounted > 0 && !step.forced) {
    charges.add({ from: 0, to: step.generation }, step.changes.uncounted);
  }
  updateSpans(buckets, day, charges, step);
  const after = day.map((list, i) => ({
    ...list,
    // Never more than there are, and never fewer than none: both where something was counted too high before.
    lost: Math.max(0, Math.min(list.accepted, list.lost + charges.of(i))),
    superseded: list.superseded ?? Math.ceil(step.now / 1000),
  }));
  const { generation, accepted } = step;
  return [...after, { generation, accepted, lost: 0, superseded: null }];
}
