import { type Coverage, NO_COVERAGE } from "./coverage.ts";
import {
  compareLists,
  entriesByShard,
  isAcceptedState,
  isLost,
  type ListContent,
  type Visit,
  withCovered,
} from "./difference.ts";
import { STEP_NAMES, type Steps } from "./steps.ts";
import { MAX_TAILS, TailColumn } from "./tail-column.ts";

/** Ranges of tails that are sorted one by one. */
const PARTS = 256;

/** Names that a commit starts to refuse or to accept, as tails in ascending order. */
export interface NameChanges {
  readonly gone: Float64Array;
  readonly back: Float64Array;
  /** How many more names go than `gone` can hold. */
  readonly uncounted: number;
  /** Names that are refused from now on and that only the catch-all accepted; left out if there are none. */
  readonly hidden?: number;
}

/** Names that one of two lists accepts or defers and the other does not. */
export const nameChanges = (
  before: ListContent,
  after: ListContent,
  coverage: Coverage = NO_COVERAGE,
): NameChanges => nameChangesIn((visit) => compareLists(before, after, visit), coverage);

/** The same for two lists whose differences `compare` visits. */
export function nameChangesIn(
  compare: (visit: Visit) => void,
  { covered, catchall }: Coverage = NO_COVERAGE,
): NameChanges {
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
  compare(count);
  return { gone: gone.sorted(), back: back.sorted(), uncounted, ...(hidden > 0 ? { hidden } : {}) };
}

/**
 * The same if of the later list only the tails that it accepts or defers are known.
 * @param accepted ascending
 */
export function* nameChangesTo(before: ListContent, accepted: Float64Array): Steps<NameChanges> {
  const isBefore = new Uint8Array(accepted.length);
  const gone = Array.from({ length: PARTS }, () => new TailColumn());
  let [kept, uncounted] = [0, 0];
  for (const { tails, states } of entriesByShard(before)) {
    for (let i = 0; i < tails.length; i++) {
      if (!isAcceptedState(states[i] as number)) continue;
      const tail = tails[i] as number;
      const at = firstFrom(accepted, tail);
      // Two names may share a tail by chance: each takes one place.
      if (accepted[at] === tail && isBefore[at] === 0) isBefore[at] = 1;
      else if (kept === MAX_TAILS) uncounted++;
      else {
        kept++;
        gone[Math.floor(tail / (2 ** 48 / PARTS))]?.push(tail);
      }
    }
    yield tails.length;
  }
  return { gone: yield* sortedParts(gone, kept), back: yield* without(accepted, isBefore), uncounted };
}

/** Sorts columns, each of which has the tails of a range, one after the other. */
function* sortedParts(parts: readonly TailColumn[], length: number): Steps<Float64Array> {
  const all = new Float64Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part.sorted(), at);
    at += part.length;
    yield part.length;
  }
  return all;
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

/** Index of the first tail that is not below `tail`. */
function firstFrom(tails: Float64Array, tail: number): number {
  let low = 0;
  let high = tails.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tails[middle] as number) < tail) low = middle + 1;
    else high = middle;
  }
  return low;
}
