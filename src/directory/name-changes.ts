import {
  compareLists,
  eachEntry,
  isAcceptedState,
  isLost,
  type ListContent,
  type Visit,
} from "./difference.ts";
import { TailColumn } from "./tail-column.ts";

/** Names that a commit starts to refuse or to accept, as tails in ascending order. */
export interface NameChanges {
  readonly gone: Float64Array;
  readonly back: Float64Array;
  /** How many more names go than `gone` can hold. */
  readonly uncounted: number;
}

/** Names that one of two lists accepts or defers and the other does not. */
export const nameChanges = (before: ListContent, after: ListContent): NameChanges =>
  nameChangesIn((visit) => compareLists(before, after, visit));

/** The same for two lists whose differences `compare` visits. */
export function nameChangesIn(compare: (visit: Visit) => void): NameChanges {
  const gone = new TailColumn();
  const back = new TailColumn();
  let uncounted = 0;
  compare((tail, was, is) => {
    if (isLost(was, is) && !gone.push(tail)) uncounted++;
    // If `back` is full, the name counts as one of all lists of the day.
    if (isLost(is, was)) back.push(tail);
  });
  return { gone: gone.sorted(), back: back.sorted(), uncounted };
}

/**
 * The same if of the later list only the tails that it accepts or defers are known.
 * @param accepted ascending
 */
export function nameChangesTo(before: ListContent, accepted: Float64Array): NameChanges {
  const isIn = new Set(accepted);
  const gone = new TailColumn();
  let uncounted = 0;
  eachEntry(before, (tail, state) => {
    if (isAcceptedState(state) && !isIn.delete(tail) && !gone.push(tail)) uncounted++;
  });
  return { gone: gone.sorted(), back: Float64Array.from(isIn), uncounted };
}
