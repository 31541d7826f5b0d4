import { isAcceptedState } from "../formats/shard.ts";
import { STEP_NAMES, type Steps } from "../steps.ts";
import { type Coverage, NO_COVERAGE } from "./coverage.ts";
import {
  compareInSteps,
  entriesByShard,
  isLost,
  type ListContent,
  type Visit,
  withCovered,
} from "./difference.ts";
import { firstFrom, TailColumn } from "./tail-column.ts";

/** Names that a commit starts to refuse or to accept, as tails in ascending order. */
export interface NameChanges {
  readonly gone: Float64Array;
  readonly back: Float64Array;
  /** How many more names go than `gone` can hold. */
  readonly uncounted: number;
  /** Names that are refused from now on and that only the catch-all accepted; left out if there are none. */
  readonly hidden?: number;
}

/** Visits each name that differs between two lists, step by step. */
export type Compare = (visit: Visit) => Iterable<number>;

/** Names that one of two lists accepts or defers and the other does not. */
export const nameChanges = (
  before: ListContent,
  after: ListContent,
  coverage: Coverage = NO_COVERAGE,
): Steps<NameChanges> => nameChangesIn((visit) => compareInSteps(before, after, visit), coverage);

/** The same for two lists whose differences `compare` visits. */
export function* nameChangesIn(
  compare: Compare,
  { covered, catchall }: Coverage = NO_COVERAGE,
): Steps<NameChanges> {
  const gone = new TailColumn();
  const back = new TailColumn();
  let [uncounted, hidden] = [0, 0];
  const isCounted = (tail: number): boolean => covered?.has(tail) ?? !catchall;
  const count = withCovered((tail, was, is) => {
    if (isLost(was, is) && !gone.push(tail)) uncounted++;
    else if (catchall && was < 0 && !isAcceptedState(is)) hidden++;
    // If `back` is full, the name counts as one of all lists of the day.
    if (isLost(is, was)) back.push(tail);
  }, isCounted);
  yield* compare(count);
  const sorted = { gone: yield* gone.sorted(), back: yield* back.sorted() };
  return { ...sorted, uncounted, ...(hidden > 0 ? { hidden } : {}) };
}

/**
 * The same if of the later list only the tails that it accepts or defers are known.
 * @param accepted ascending
 */
export function* nameChangesTo(before: ListContent, accepted: Float64Array): Steps<NameChanges> {
  const isBefore = new Uint8Array(accepted.length);
  const gone = new TailColumn();
  let uncounted = 0;
  for (const { tails, states } of entriesByShard(before)) {
    for (let i = 0; i < tails.length; i++) {
      if (!isAcceptedState(states[i] as number)) continue;
      const tail = tails[i] as number;
      const at = firstFrom(accepted, tail);
      // Two names may share a tail by chance: each takes one place.
      if (accepted[at] === tail && isBefore[at] === 0) isBefore[at] = 1;
      else if (!gone.push(tail)) uncounted++;
    }
    yield tails.length;
  }
  return { gone: yield* gone.sorted(), back: yield* without(accepted, isBefore), uncounted };
}

/** Tails that are not marked, each once. */
function* without(tails: Float64Array, isMarked: Uint8Array): Steps<Float64Array> {
  const left = new TailColumn();
  for (let i = 0; i < tails.length; i++) {
    const tail = tails[i] as number;
    // Of equal ones the first is marked.
    if (tail !== tails[i - 1] && isMarked[i] === 0) left.push(tail);
    if (i % STEP_NAMES === STEP_NAMES - 1) yield STEP_NAMES / 8;
  }
  return left.all();
}
