/** When one Registry is full, and what more partitions change. */
import { type Assumptions, DAYS_PER_MONTH } from "./assumptions.ts";
import type { Counts } from "./counts.ts";
import { OBJECT_LIMITS } from "./prices.ts";
import { ours, type Size } from "./usage.ts";

/** Share of what an object can do that is left free, for commits and for many questions at once. */
const HEADROOM = 0.5;

/** Isolates in the world, all of them busy, whose questions one object takes with room to spare. */
export const isolatesPerObject = (a: Assumptions): number =>
  (OBJECT_LIMITS.requestsPerSecond * HEADROOM * a.window) / 2;

/** Partitions that a list's bytes ask for, replaced shards included. */
export const partitionsForBytes = (size: Size, a: Assumptions, counts: Counts): number =>
  Math.ceil(ours(size, a, counts).monthly.objectBytes / (OBJECT_LIMITS.bytes * HEADROOM));

/** Most days of history that leave a list within one object; null where not even a day does. */
export function historyThatFits(size: Size, a: Assumptions, counts: Counts): number | null {
  const bytesWith = (historyDays: number): number =>
    ours(size, { ...a, historyDays }, counts).monthly.objectBytes;
  const bare = bytesWith(0);
  const perDay = bytesWith(1) - bare;
  const room = OBJECT_LIMITS.bytes - bare;
  if (room < perDay) return null;
  return perDay === 0 ? Math.floor(DAYS_PER_MONTH * 12) : Math.floor(room / perDay);
}
