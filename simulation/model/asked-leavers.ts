import type { History } from "./history.ts";
import { covers } from "./patterns.ts";

/** Seconds: those who left a few at a time are counted together by parts of time, of a day at most. */
const GRIDS = [300, 3_600, 86_400];

/** Who is counted together: many who left at once, whose second says so, or those of a part of time. */
const groupOf = (second: number, grid: number): number =>
  second % 4 >= 2 ? second : Math.ceil(second / grid) * grid;

/**
 * How many of those who left a list recently were asked for, at most.
 * @param leavers each with the second until which it is deferred
 * @param asked every name that was ever asked about
 */
export function askedFor(
  history: History,
  leavers: ReadonlyMap<string, number>,
  asked: readonly string[],
): number {
  const isAskedFor = (entry: string): boolean => asked.some((name) => name === entry || covers(entry, name));
  const seconds = [...leavers.values()].filter(Number.isFinite);
  // Who was asked for and returned counts still, for as many as left with it and are gone.
  const found = GRIDS.map((grid) =>
    [...new Set(seconds.map((second) => groupOf(second, grid)))].reduce((all, group) => {
      const isIts = (second: number): boolean => groupOf(second, grid) === group;
      return all + Math.min(seconds.filter(isIts).length, history.leftUntil(isIts).filter(isAskedFor).length);
    }, 0),
  );
  return Math.max(...found);
}
