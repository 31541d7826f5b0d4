/** What the model takes for granted: every number that is neither a price nor measured, with its reason. */
export interface Assumptions {
  /** Window of law 2, seconds: `ROLLCALL_WINDOW`. */
  readonly window: number;
  /** `ROLLCALL_PARTITIONS`. */
  readonly partitions: number;
  /** Days for which replaced shards are kept: `ROLLCALL_HISTORY_DAYS`. */
  readonly historyDays: number;
  /** Bytes of shards that an isolate holds: `ROLLCALL_CACHE_BYTES`. */
  readonly cacheBytes: number;
  /** Domains, all of one size. */
  readonly domains: number;
  /** Recipients in one request. */
  readonly recipientsPerRequest: number;
  /** Cloudflare locations through which mail hosts ask. */
  readonly locations: number;
  /** Isolates of a location that take turns, however little is asked. */
  readonly isolatesPerLocation: number;
  /** Requests a second at the peak for which the platform runs one isolate. */
  readonly requestsPerIsolate: number;
  /** Isolates in the world; replaces the three above where it is set. */
  readonly isolates: number | null;
  /** The busiest hour over the average. */
  readonly peakHour: number;
  /** The busiest day over the average: the free plan's limits are daily. */
  readonly peakDay: number;
  /** How often a day an isolate that is asked all the time begins anew. */
  readonly coldStartsPerDay: number;
  /** Seconds without a request after which an isolate is let go of. */
  readonly idleLife: number;
  /** Mailboxes that come, go or change in a day, per mailbox. */
  readonly changeShare: number;
  /** Mailboxes that change in a day; replaces the share where it is set. */
  readonly changesPerDay: number | null;
  /** Most publishes in a day; with fewer changes, one each. */
  readonly publishesPerDay: number;
  /** Least CPU that is billed for a request, milliseconds. */
  readonly leastCpuMs: number;
  /** Seconds for which a request keeps the Registry's object awake. */
  readonly awakePerRequest: number;
  /** Rows of SQLite that a question reads, and that a publish writes beside its shards. */
  readonly rowsPerQuestion: number;
  readonly rowsPerPublish: number;
  /** With one key a mailbox: octets of its name, value and metadata. */
  readonly bytesPerKey: number;
}

/** A mail service whose hosts stand at two places, on a platform that keeps isolates long. */
export const FEW_ISOLATES: Assumptions = {
  window: 30,
  partitions: 1,
  historyDays: 30,
  cacheBytes: 64 * 1024 * 1024,
  domains: 1,
  recipientsPerRequest: 1,
  locations: 2,
  isolatesPerLocation: 1,
  requestsPerIsolate: 200,
  isolates: null,
  peakHour: 3,
  peakDay: 2,
  coldStartsPerDay: 2,
  idleLife: 900,
  changeShare: 0.0005,
  changesPerDay: null,
  publishesPerDay: 96,
  leastCpuMs: 0,
  awakePerRequest: 0.05,
  rowsPerQuestion: 30,
  rowsPerPublish: 60,
  bytesPerKey: 40,
};

/** Hosts all over the world, on a platform that starts isolates readily and lets go of them soon. */
export const MANY_ISOLATES: Assumptions = {
  ...FEW_ISOLATES,
  locations: 20,
  isolatesPerLocation: 2,
  requestsPerIsolate: 20,
  coldStartsPerDay: 24,
  idleLife: 60,
  leastCpuMs: 1,
  awakePerRequest: 1,
};

/** Why each is what it is, for docs/cost.md. */
export const REASONS: { readonly [A in keyof Assumptions]: string } = {
  window: "the default of `ROLLCALL_WINDOW`",
  partitions: "the default of `ROLLCALL_PARTITIONS`",
  historyDays:
    "the default of `ROLLCALL_HISTORY_DAYS`; the Registry keeps shards that a publish replaced so long, KV a day",
  cacheBytes: "the default of `ROLLCALL_CACHE_BYTES`",
  domains: "all mailboxes in one domain; with more of them, `--domains`",
  recipientsPerRequest:
    "the bridge asks about one recipient at a time; a sender of lists can ask about 1,000",
  locations: "mail hosts are few and stand still: each asks through the location that is nearest",
  isolatesPerLocation: "a location has several machines, and nothing promises that one isolate gets it all",
  requestsPerIsolate:
    "Cloudflare publishes no figure; an isolate could serve thousands, and more are started long before",
  isolates: "from the three above; `--isolates` sets it",
  peakHour: "mail by day is about three times the average of day and night",
  peakDay: "a Monday, or an attack",
  coldStartsPerDay: "evictions and deploys; Cloudflare publishes no figure",
  idleLife: "Cloudflare publishes no figure; a quarter of an hour and a minute are taken as the ends",
  changeShare: "joiners, leavers and renames of a staff that changes by a fifth a year",
  changesPerDay: "from the share; `--changes` sets it",
  publishesPerDay: "a publish every quarter of an hour; several changes go in one",
  leastCpuMs: "whether fractions of a millisecond are billed is not published: none, or one for each request",
  awakePerRequest:
    "an object that is idle and may hibernate is not billed; never more than being awake all the time",
  rowsPerQuestion: "a question looks at eight single values and the heads that changed; generous",
  rowsPerPublish: "head, history, audit, alarms, the marks of the copy to KV; generous",
  bytesPerKey: "`mailbox/` and an address, a value of one octet, no metadata",
};

export const DAYS_PER_MONTH = 365.25 / 12;
export const SECONDS_PER_DAY = 86_400;
export const SECONDS_PER_MONTH = DAYS_PER_MONTH * SECONDS_PER_DAY;
