/** What a month costs, what fits the free plan, and when one Registry is full. */
import { type Assumptions, DAYS_PER_MONTH } from "./assumptions.ts";
import type { Counts } from "./counts.ts";
import { FREE_CPU_MS, ITEMS, type Item, OBJECT_LIMITS, PRICES, SUBSCRIPTION } from "./prices.ts";
import { changesPerDay, type Design, ours, type Size, type Usage, type Use } from "./usage.ts";

/** Dollars a month on the paid plan: in total, and of each item beyond what the subscription includes. */
export function billOf(usage: Usage) {
  const cost = (item: Item): number => Math.max(0, usage[item] - PRICES[item].included) * PRICES[item].each;
  return {
    items: Object.fromEntries(ITEMS.map((item) => [item, cost(item)])) as Usage,
    total: ITEMS.reduce((sum, item) => sum + cost(item), SUBSCRIPTION),
  };
}

/** Dollars of the first publication. The month's other writes use up what is included first. */
export function firstPublication({ firstWrites, monthly }: Use): number {
  const { included, each } = PRICES.kvWrites;
  return Math.max(0, firstWrites - Math.max(0, included - monthly.kvWrites)) * each;
}

/** Limits of the free plan that a design exceeds, on the busiest day or in total; none if it fits. */
export function passedLimits(design: Design, size: Size, a: Assumptions, counts: Counts) {
  const busy = { ...a, changesPerDay: changesPerDay(size, a) * a.peakDay };
  const busyMonth = design({ ...size, checks: size.checks * a.peakDay }, busy, counts).monthly;
  const month = design(size, a, counts).monthly;
  const all = ITEMS.map((item) => {
    const { what, free, unit } = PRICES[item];
    const used = unit === "bytes" ? month[item] : busyMonth[item] / DAYS_PER_MONTH;
    return { item, what, unit, used, limit: free ?? Number.POSITIVE_INFINITY };
  });
  const cpu = { item: "cpu of one request", what: "cpu of one request", unit: "ms", limit: FREE_CPU_MS };
  return [{ ...cpu, used: counts.cpuMsPerCheck * a.recipientsPerRequest }, ...all].filter(
    ({ used, limit }) => used > limit,
  );
}

const MOST_PUBLISHES = 1_440;

/** What fits the free plan: publishes a day if nobody asks, checks a month, and the limits that stop one more. */
export function freePlan(mailboxes: number, a: Assumptions, counts: Counts, design: Design) {
  const passed = (checks: number, publishesPerDay: number) =>
    passedLimits(design, { mailboxes, checks }, { ...a, publishesPerDay }, counts);
  const publishes = largest(MOST_PUBLISHES, (count) => passed(0, count).length === 0);
  const each = Math.min(a.publishesPerDay, publishes);
  const mostChecks = each === 0 ? 0 : PRICES.requests.free * 31;
  const checks = largest(mostChecks, (count) => passed(count, each).length === 0);
  return { publishes, checks, stops: passed(checks + 1, Math.max(1, each)).map(({ what }) => what) };
}

/** The largest whole number up to `most` that fits, if all below it do; 0 if not even 1 does. */
function largest(most: number, fits: (count: number) => boolean): number {
  let [fitting, exceeding] = [0, most + 1];
  while (exceeding - fitting > 1) {
    const middle = Math.floor((fitting + exceeding) / 2);
    if (fits(middle)) fitting = middle;
    else exceeding = middle;
  }
  return fitting;
}

/** Days until a first publication is in KV on the free plan. */
export const daysToFill = ({ firstWrites }: Use): number => Math.ceil(firstWrites / PRICES.kvWrites.free);

/** Busy isolates whose questions one object takes; half of what it can do is left for commits and for bursts. */
export const isolatesPerObject = (a: Assumptions): number =>
  ((OBJECT_LIMITS.requestsPerSecond / 2) * a.window) / 2;

/** Most days of history that leave a list within one object; null if not even one day does. */
export function historyThatFits(size: Size, a: Assumptions, counts: Counts): number | null {
  const [bare, one] = [0, 1].map(
    (historyDays) => ours(size, { ...a, historyDays }, counts).monthly.objectBytes,
  ) as [number, number];
  const fitting = Math.floor((OBJECT_LIMITS.bytes - bare) / (one - bare));
  return fitting >= 1 ? Math.min(fitting, Math.floor(DAYS_PER_MONTH * 12)) : null;
}
