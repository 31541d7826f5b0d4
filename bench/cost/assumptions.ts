/** What the model assumes: every number that is neither a price nor measured. */

/** With few isolates, with many, and why. */
const GIVEN = {
  window: [30, 30, "the default of `ROLLCALL_WINDOW`"],
  partitions: [1, 1, "the default of `ROLLCALL_PARTITIONS`"],
  historyDays: [
    30,
    30,
    "the default of `ROLLCALL_HISTORY_DAYS`; the Registry keeps shards that a publish replaced so long, KV a day",
  ],
  cacheBytes: [64 * 1024 * 1024, 64 * 1024 * 1024, "the default of `ROLLCALL_CACHE_BYTES`"],
  domains: [1, 1, "all mailboxes in one domain; with more of them, `--domains`"],
  recipientsPerRequest: [
    1,
    1,
    "the bridge asks about one recipient at a time; a sender of lists can ask about 1,000",
  ],
  locations: [2, 20, "mail hosts are few and stand still: each asks through the location that is nearest"],
  isolatesPerLocation: [
    1,
    2,
    "a location has several machines, and nothing promises that one isolate gets it all",
  ],
  requestsPerIsolate: [
    200,
    20,
    "Cloudflare publishes no figure; an isolate could serve thousands, and more are started long before",
  ],
  isolates: [null, null, "from the three above; `--isolates` sets it"],
  peakHour: [3, 3, "mail by day is about three times the average of day and night"],
  peakDay: [2, 2, "a Monday, or an attack"],
  coldStartsPerDay: [2, 24, "evictions and deploys; Cloudflare publishes no figure"],
  idleLife: [
    900,
    60,
    "Cloudflare publishes no figure; a quarter of an hour and a minute are taken as the ends",
  ],
  changeShare: [0.0005, 0.0005, "joiners, leavers and renames of a staff that changes by a fifth a year"],
  changesPerDay: [null, null, "from the share; `--changes` sets it"],
  publishesPerDay: [96, 96, "a publish every quarter of an hour; several changes go in one"],
  leastCpuMs: [
    0,
    1,
    "whether fractions of a millisecond are billed is not published: none, or one for each request",
  ],
  awakePerRequest: [
    0.05,
    1,
    "an object that is idle and may hibernate is not billed; never more than being awake all the time",
  ],
  rowsPerQuestion: [30, 30, "a question looks at eight single values and the heads that changed; generous"],
  rowsPerPublish: [
    200,
    200,
    "head, history, the guard's ledger and spans, the marks of the copy to KV; generous",
  ],
  bytesPerKey: [40, 40, "`mailbox/` and an address, a value of one octet, no metadata"],
} satisfies Readonly<Record<string, readonly [few: number | null, many: number | null, why: string]>>;

type Name = keyof typeof GIVEN;
/** Null where the model computes it. */
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
