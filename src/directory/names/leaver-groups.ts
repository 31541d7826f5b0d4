/**
 * Names that left together are a group: readers count by groups, and the brake judges them. A group's number follows from the
 * second until which a name is deferred and the grid of the manifest alone, so that what is counted anywhere can be added
 * up.
 */

import { type DepartureColumns, HELD, type LeaverGroup, type LeaverGroups } from "../formats/departures.ts";
import { STEP_NAMES, type Steps } from "../steps.ts";
import { brakeLimit } from "./brake.ts";

/** Each is a multiple of the one before, so that groups of one are parts of groups of the next. */
const GRIDS = [300, 3_600, 86_400] as const;
export const FINEST_GRID = GRIDS[0];
export const NO_GROUPS: LeaverGroups = { grid: FINEST_GRID, groups: [] };

/** Groups on the grid: more make it coarser. A month's grace needs no more on the coarsest. */
const MOST_ON_GRID = 64;
/** Large groups: past that, the smallest of them go on the grid. */
const MOST_LARGE = 64;

/** The lowest bits of a second say what its names are: suspended, and so many that they are judged by themselves. */
const SUSPENDED = 1;
const LARGE = 2;
const KINDS = 4;

/** Whether a second or a group is of names that are judged by themselves. */
export const isLarge = (second: number): boolean => (second & LARGE) !== 0;

/** Whether a second or a group is of names that were suspended: listed as disabled or moved. Of held ones it is not known. */
export const isSuspended = (second: number): boolean => (second & SUSPENDED) !== 0 && second !== HELD;

/** How many names that leave at once are a group by themselves, however many others left. @param accepted names of the list */
export const smallestLarge = (accepted: number): number => brakeLimit(accepted, []);

/**
 * The second until which a name is deferred that leaves now, or is suspended: listed as disabled or moved. Mail to suspended
 * people goes on, so the brake judges them apart. The second itself says what a name is, so that all who count by it, a
 * reader too, count apart.
 * @param now Unix milliseconds
 * @param grace seconds, at least
 * @param large whether they are so many that they are a group by themselves
 */
export function deferredUntil(
  now: number,
  grace: number,
  suspended: boolean,
  large = false,
  { groups }: LeaverGroups = NO_GROUPS,
): number {
  const kind = (large ? LARGE : 0) + (suspended ? SUSPENDED : 0);
  let second = Math.ceil(now / 1000) + grace;
  // Two large groups that left at different times are two.
  while (second % KINDS !== kind || (large && groups.some(({ id }) => id === second))) second++;
  return second;
}

/** The number of the group of names that are deferred until a second. */
export const groupOf = (second: number, grid: number): number =>
  isLarge(second) ? second : Math.ceil((second - (second % 2)) / grid) * grid + (second % 2);

/** The groups that there are, by their numbers. */
export interface GroupNumbers {
  readonly grid: number;
  readonly ids: Pick<ReadonlySet<number>, "has">;
}

/**
 * The number of the group that a number means now: the grid may have become coarser, and a large group may have gone on it.
 * @returns null if there is none
 */
export function groupIn({ grid, ids }: GroupNumbers, id: number): number | null {
  if (ids.has(id)) return id;
  const coarser = groupOf(onGrid(id), grid);
  return ids.has(coarser) ? coarser : null;
}

/** The second of a large group's names once they are on the grid. */
const onGrid = (second: number): number => second + (second & LARGE);

/** Names that leave now. */
export interface NewLeavers {
  readonly until: number;
  readonly count: number;
}

/** The groups of the next generation, and its departures, in which large groups beyond a number have gone on the grid. */
export function* groupDepartures(
  { tails, until }: DepartureColumns,
  before: LeaverGroups,
  leavers: readonly NewLeavers[],
  now: number,
): Steps<{ readonly columns: DepartureColumns; readonly groups: LeaverGroups }> {
  const gone = new Map<number, number>();
  for (let from = 0; from < until.length; from += STEP_NAMES) {
    const part = until.subarray(from, from + STEP_NAMES);
    for (const second of part) gone.set(second, (gone.get(second) ?? 0) + 1);
    yield part.length / 8;
  }
  gone.delete(HELD);
  const large = [...gone].filter(([second]) => isLarge(second)).sort(([, a], [, b]) => b - a);
  const moved = new Map(large.slice(MOST_LARGE).map(([second]) => [second, onGrid(second)]));
  for (const [from, to] of moved) {
    gone.set(to, (gone.get(to) ?? 0) + (gone.get(from) as number));
    gone.delete(from);
  }
  const columns = moved.size === 0 ? { tails, until } : { tails, until: until.map((s) => moved.get(s) ?? s) };
  const grid = gridFor([...gone.keys()], before);
  return { columns, groups: { grid, groups: groupsOn(grid, gone, moved, before, leavers, now) } };
}

/** The finest grid with few enough groups. What was counted on a coarser one cannot be told apart. */
function gridFor(seconds: readonly number[], before: LeaverGroups): number {
  const small = seconds.filter((second) => !isLarge(second));
  const groups = (grid: number): Set<number> => new Set(small.map((second) => groupOf(second, grid)));
  const last = groups(before.grid);
  const finest = before.groups.some(({ id }) => last.has(id)) ? before.grid : FINEST_GRID;
  const fits = (grid: number): boolean => grid >= finest && groups(grid).size <= MOST_ON_GRID;
  return GRIDS.find(fits) ?? (GRIDS.at(-1) as number);
}

/**
 * @param gone how many names are deferred until each second
 * @param moved large groups that went on the grid
 */
function groupsOn(
  grid: number,
  gone: ReadonlyMap<number, number>,
  moved: ReadonlyMap<number, number>,
  before: LeaverGroups,
  leavers: readonly NewLeavers[],
  now: number,
): LeaverGroup[] {
  const made = new Map<number, { id: number; left: number; gone: number; at: number }>();
  for (const [second, count] of gone) {
    const id = groupOf(second, grid);
    const group = made.get(id) ?? { id, left: 0, gone: 0, at: 0 };
    made.set(id, { ...group, gone: group.gone + count });
  }
  const add = (number: number, left: number, at: number): void => {
    const id = groupIn({ grid, ids: made }, number);
    const group = id === null ? undefined : made.get(id);
    if (group === undefined || left === 0) return;
    group.at = Math.round((group.left * group.at + left * at) / (group.left + left));
    group.left += left;
  };
  // A large group that is neither here nor on the grid has returned, or its marks have ended.
  for (const { id, left, at } of before.groups)
    if (!isLarge(id) || gone.has(id) || moved.has(id)) add(id, left, at);
  const second = Math.ceil(now / 1000);
  for (const { until, count } of leavers) add(until, count, second);
  // Of departures without groups nobody knows when they began.
  for (const { id, left, gone: count } of made.values()) add(id, Math.max(0, count - left), second);
  return [...made.values()].sort((a, b) => a.id - b.id);
}
