import { compareLists, eachEntry, isAcceptedState, isLost, type ListContent } from "./difference.ts";
import { TailColumn } from "./tail-column.ts";

/** Names that a commit refuses, or accepts again or for the first time; known by their tails, ascending. */
export interface NameChanges {
  readonly gone: Float64Array;
  readonly back: Float64Array;
  /** Names that go, beyond those that `gone` can hold. */
  readonly uncounted: number;
}

/** Names that are accepted or deferred by one of two lists and not by the other. */
export function nameChanges(before: ListContent, after: ListContent): NameChanges {
  const gone = new TailColumn();
  const back = new TailColumn();
  let uncounted = 0;
  compareLists(before, after, (tail, was, is) => {
    if (isLost(was, is) && !gone.push(tail)) uncounted++;
    // One that is left out counts as a name of all lists of the day.
    if (isLost(is, was)) back.push(tail);
  });
  return { gone: gone.sorted(), back: back.sorted(), uncounted };
}

/** The same where only the tails are known that the later list accepts or defers. */
export function nameChangesTo(before: ListContent, accepted: Float64Array): NameChanges {
  const isIn = new Set(accepted);
  const gone = new TailColumn();
  let uncounted = 0;
  eachEntry(before, (tail, state) => {
    if (isAcceptedState(state) && !isIn.delete(tail) && !gone.push(tail)) uncounted++;
  });
  return { gone: gone.sorted(), back: Float64Array.from(isIn).sort(), uncounted };
}
