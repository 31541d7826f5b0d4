import type { History } from "./history.ts";
import { covers } from "./patterns.ts";

/**
 * How many of those who left a list recently were asked for.
 * @param leavers each with the second until which it is deferred
 * @param asked every name that was ever asked about
 */
export function askedFor(
  history: History,
  leavers: ReadonlyMap<string, number>,
  asked: readonly string[],
): number {
  const isAskedFor = (entry: string): boolean => asked.some((name) => name === entry || covers(entry, name));
  const seconds = [...leavers.values()];
  // Who was asked for and returned counts still, for as many as left with it and are gone.
  return [...new Set(seconds)].reduce((all, second) => {
    const gone = seconds.filter((until) => until === second).length;
    return all + Math.min(gone, history.leftUntil(second).filter(isAskedFor).length);
  }, 0);
}
