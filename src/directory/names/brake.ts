/** When names that left are asked for so often that they did not leave, but were removed by mistake. */
import { estimate, mergeSketch, newSketch, type Sketch } from "../formats/sketch.ts";

/** Fewer distinct names never do: somebody who knows a few leavers must not be able to hold the others back. */
const FEWEST = 10;
/** Nor does a smaller share of the list: more leave on an ordinary day of a large organisation. */
const SHARE_OF_LIST = 1 / 1_000;
/** The same of those who were suspended: somebody writes to most of them. */
const SUSPENDED_SHARE = 1 / 100;
/** Share of the names that left which is expected to be asked for in a day, and at once: one sender writes to many. */
const SHARE_IN_A_DAY = 1 / 4;
const SHARE_AT_ONCE = 1 / 50;
const DAY = 86_400;

/** Names that left together, as far as the limit depends on them. */
export interface Left {
  /** How many. */
  readonly left: number;
  /** Seconds since they left. */
  readonly age: number;
}

/** Names that left together, as they are judged. */
export interface JudgedGroup extends Left {
  /** How many are gone still. */
  readonly gone: number;
  /** Whether they left a few at a time. */
  readonly small: boolean;
  /** Whether they were suspended. */
  readonly suspended: boolean;
  /** Those that were asked for; names that returned since too. */
  readonly asked: Sketch;
}

const expectedShare = (age: number): number =>
  Math.min(SHARE_IN_A_DAY, Math.max(SHARE_AT_ONCE, (SHARE_IN_A_DAY * age) / DAY));

/**
 * The number of distinct names asked for from which names that left are held.
 * @param accepted names that the list accepts now
 * @param groups all that are judged together
 */
export const brakeLimit = (accepted: number, groups: readonly Left[]): number =>
  Math.max(
    FEWEST,
    accepted * SHARE_OF_LIST,
    groups.reduce((sum, { left, age }) => sum + left * expectedShare(age), 0),
  );

/** How many were suspended or left, and how many of them were asked for. */
export interface BrakeReason {
  readonly left: number;
  readonly asked: number;
}

/**
 * Why names that left are held, or null. Each group is judged by itself, whatever else left, and all of them are together. Small
 * ones of the last day are judged together too, from each of them on: a mistake may be made in small steps. Suspended
 * ones of the last day are judged apart.
 * @param accepted names that the list accepts now
 */
export function judgeGroups(groups: readonly JudgedGroup[], accepted: number): BrakeReason | null {
  const young = groups.filter(({ age }) => age < DAY).sort((a, b) => a.age - b.age);
  const suspended = young.filter((group) => group.suspended);
  const limit = Math.max(FEWEST, accepted * SUSPENDED_SHARE);
  const left = groups.filter((group) => !group.suspended);
  const steps = young.filter((group) => group.small && !group.suspended);
  return (
    first(left, (group) => judge([group], accepted)) ??
    judgeSteps(steps, accepted) ??
    judge(left, accepted) ??
    reasonFrom(suspended, count(suspended), limit)
  );
}

const judge = (groups: readonly JudgedGroup[], accepted: number): BrakeReason | null =>
  reasonFrom(groups, count(groups), brakeLimit(accepted, groups));

/** @param groups the youngest first */
function judgeSteps(groups: readonly JudgedGroup[], accepted: number): BrakeReason | null {
  const asked = newSketch();
  return first(groups, ({ asked: its }, i) => {
    mergeSketch(asked, its);
    const judged = groups.slice(0, i + 1);
    return reasonFrom(judged, estimate(asked), brakeLimit(accepted, judged));
  });
}

/** @param asked distinct names of the groups that were asked for */
function reasonFrom(groups: readonly JudgedGroup[], asked: number, limit: number): BrakeReason | null {
  // Sketches keep names that returned since: of each group no more count than are still gone.
  const most = sum(groups.map((group) => Math.min(group.gone, estimate(group.asked))));
  const found = Math.min(most, asked);
  return found >= limit ? { left: sum(groups.map(({ left }) => left)), asked: found } : null;
}

function count(groups: readonly JudgedGroup[]): number {
  const all = newSketch();
  for (const { asked } of groups) mergeSketch(all, asked);
  return estimate(all);
}

function first<T, R>(items: readonly T[], find: (item: T, index: number) => R | null): R | null {
  for (const [index, item] of items.entries()) {
    const found = find(item, index);
    if (found !== null) return found;
  }
  return null;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
