/** What the model assumes: every number that is neither a price nor measured. */

/** With few isolates, with many, and why. */
const GIVEN = {
  window: [30, 30, "seconds; the default of `ROLLCALL_WINDOW`"],
  partitions: [1, 1, "the default of `ROLLCALL_PARTITIONS`"],
  historyDays: [
    30,
    30,
    "the default of `ROLLCALL_HISTORY_DAYS`: how long the Registry keeps replaced shards",
  ],
  cacheBytes: [64 * 1024 * 1024, 64 * 1024 * 1024, "the default of `ROLLCALL_CACHE_BYTES`"],
  domains: [1, 1, "all mailboxes are in one domain"],
  recipientsPerRequest: [1, 1, "the bridge asks about one recipient at a time; a batch has up to 1,000"],
  locations: [2, 20, "mail hosts are few and do not move: each asks through its nearest location"],
  isolatesPerLocation: [1, 2, "a location has several machines; nothing sends all requests to one isolate"],
  requestsPerIsolate: [
    200,
    20,
    "a second; one could serve thousands, but Cloudflare starts more long before",
  ],
  isolates: [null, null, "from the three above"],
  peakHour: [3, 3, "mail by day is about three times the average of day and night"],
  peakDay: [2, 2, "a Monday, or an attack"],
  coldStartsPerDay: [2, 24, "of an isolate that is asked all the time: evictions and deploys; not published"],
  idleLife: [900, 60, "seconds without a request until eviction; not published: two ends"],
  changeShare: [0.0005, 0.0005, "of the mailboxes a day: a staff of which a fifth changes in a year"],
  changesPerDay: [null, null, "from the share"],
  publishesPerDay: [96, 96, "one every quarter of an hour, with all changes since the last"],
  leastCpuMs: [0, 1, "billed for a request; whether fractions of a millisecond are is not published"],
  awakePerRequest: [0.05, 1, "seconds; an idle object that may hibernate is not billed"],
  rowsReadPerQuestion: [30, 30, "eight single values and the heads that changed; generous"],
  rowsReadPerPublish: [200, 200, "head, history, guard, the marks of the copy to KV; generous"],
  bytesPerKey: [40, 40, "`mailbox/` and an address, a value of one octet, no metadata"],
} satisfies Readonly<Record<string, readonly [few: number | null, many: number | null, why: string]>>;

type Name = keyof typeof GIVEN;
/** Null if the model computes it. */
export type Assumptions = {
  readonly [N in Name]: N extends "isolates" | "changesPerDay" ? number | null : number;
};

const side = (index: 0 | 1): Assumptions =>
  Object.fromEntries(Object.entries(GIVEN).map(([name, given]) => [name, given[index]])) as Assumptions;

/** A mail service whose hosts are in two places, on a platform that keeps isolates for long. */
export const FEW_ISOLATES = side(0);
/** Hosts all over the world, on a platform that starts isolates readily and evicts them soon. */
export const MANY_ISOLATES = side(1);
export const REASONS = Object.entries(GIVEN).map(([name, [, , why]]) => [name as Name, why] as const);

export const DAYS_PER_MONTH = 365.25 / 12;
export const SECONDS_PER_MONTH = DAYS_PER_MONTH * 86_400;
