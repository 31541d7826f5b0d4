/** What a month's use costs, and whether the free plan holds it. */
import { type Assumptions, DAYS_PER_MONTH } from "./assumptions.ts";
import type { Counts } from "./counts.ts";
import { FREE_CPU_MS, FREE_LIMITS, type Item, PRICES, SUBSCRIPTION } from "./prices.ts";
import { changesPerDay, type Design, type Size, type Usage, type Use } from "./usage.ts";

/** Dollars a month on the paid plan. */
export interface Bill {
  /** Subscription and all items. */
  readonly total: number;
  /** Dollars of each item beyond what the subscription includes. */
  readonly items: Readonly<Record<Item, number>>;
}

const ITEMS = Object.keys(PRICES) as Item[];

export function billOf(usage: Usage): Bill {
  const items = Object.fromEntries(
    ITEMS.map((item) => [item, Math.max(0, usage[item] - PRICES[item].included) * PRICES[item].each]),
  ) as Record<Item, number>;
  return { items, total: ITEMS.reduce((sum, item) => sum + items[item], SUBSCRIPTION) };
}

/** Dollars of the first publication, where the month's other writes use up what is included. */
export const firstPublication = ({ firstWrites, monthly }: Use): number =>
  Math.max(0, firstWrites - Math.max(0, PRICES.kvWrites.included - monthly.kvWrites)) * PRICES.kvWrites.each;

/** A limit of the free plan that is passed. */
export interface Excess {
  readonly item: Item | "cpu of one request";
  /** Of the busiest day, or the total. */
  readonly used: number;
  readonly limit: number;
}

/** Limits of the free plan that a design passes on the busiest day, or in all; none where it fits. */
export function passedLimits(design: Design, size: Size, a: Assumptions, counts: Counts): Excess[] {
  const busy = {
    size: { ...size, checks: size.checks * a.peakDay },
    assumptions: { ...a, changesPerDay: changesPerDay(size, a) * a.peakDay },
  };
  const month = design(size, a, counts).monthly;
  const busyMonth = design(busy.size, busy.assumptions, counts).monthly;
  const cpu = counts.cpuMsPerCheck * a.recipientsPerRequest;
  const passed: Excess[] =
    cpu > FREE_CPU_MS ? [{ item: "cpu of one request", used: cpu, limit: FREE_CPU_MS }] : [];
  for (const [name, { limit, isDaily }] of Object.entries(FREE_LIMITS)) {
    const item = name as keyof typeof FREE_LIMITS;
    const used = isDaily ? busyMonth[item] / DAYS_PER_MONTH : month[item];
    if (used > limit) passed.push({ item, used, limit });
  }
  return passed;
}

const MOST_PUBLISHES = 1440;

/** Most publishes a day, one a minute at most, with which a list that nobody asks about fits; 0 where none do. */
export function publishesThatFit(mailboxes: number, a: Assumptions, counts: Counts, design: Design): number {
  const fits = (publishesPerDay: number): boolean =>
    passedLimits(design, { mailboxes, checks: 0 }, { ...a, publishesPerDay }, counts).length === 0;
  return largest(MOST_PUBLISHES, fits);
}

/** Most checks a month that fit, published as often as assumed or as fits; 0 where nothing does. */
export function checksThatFit(mailboxes: number, a: Assumptions, counts: Counts, design: Design): number {
  const publishesPerDay = Math.min(a.publishesPerDay, publishesThatFit(mailboxes, a, counts, design));
  if (publishesPerDay === 0) return 0;
  const fits = (checks: number): boolean =>
    passedLimits(design, { mailboxes, checks }, { ...a, publishesPerDay }, counts).length === 0;
  return largest(FREE_LIMITS.requests.limit * 31, fits);
}

/** The largest whole number up to `most` that fits, where all below it do; 0 where not even 1 does. */
function largest(most: number, fits: (count: number) => boolean): number {
  let [fitting, passing] = [0, most + 1];
  while (passing - fitting > 1) {
    const middle = Math.floor((fitting + passing) / 2);
    if (fits(middle)) fitting = middle;
    else passing = middle;
  }
  return fitting;
}

/** Days until a first publication is in KV on the free plan. */
export const daysToFill = ({ firstWrites }: Use): number =>
  Math.ceil(firstWrites / FREE_LIMITS.kvWrites.limit);
