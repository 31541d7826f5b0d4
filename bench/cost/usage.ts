/** How much of everything a size uses in a month, by our design and by one KV key a mailbox. */
import { shardBitsFor } from "../../src/directory/index.ts";
import { MOST_HEADS } from "../../src/edge/environment.ts";
import { INLINE_SHARD } from "../../src/publish/pack.ts";
import { EXPORTS_MAX_AGE } from "../../src/reader/exports.ts";
import { REPLACED_LIFE } from "../../src/registry/history.ts";
import { type Assumptions, DAYS_PER_MONTH, SECONDS_PER_MONTH } from "./assumptions.ts";
import type { Counts } from "./counts.ts";
import { type Item, OBJECT_GB } from "./prices.ts";

export interface Size {
  readonly mailboxes: number;
  /** Checks a month that reach the edge: what a bridge answers from its cache is not among them. */
  readonly checks: number;
}

/** Units of a month. */
export type Usage = Readonly<Record<Item, number>>;

/** A design at one size. */
export interface Use {
  /** Of every month. */
  readonly monthly: Usage;
  /** KV writes of the first publication, once. */
  readonly firstWrites: number;
}

/** One of the designs that are compared. */
export type Design = (size: Size, a: Assumptions, counts: Counts) => Use;

/** What the rest follows from. */
export interface Shape {
  readonly isolates: number;
  /** Isolates that begin with nothing, a month. */
  readonly coldStarts: number;
  /** Requests of isolates to the Registry that ask what changed, a month. */
  readonly refreshes: number;
  /** Shards of all domains; none where the only one stands in the manifest. */
  readonly shards: number;
  readonly bytesPerShard: number;
  readonly publishes: number;
  /** Shards that one publish replaces. */
  readonly shardsPerPublish: number;
}

/** Seconds after which what was read of offline exports is too old. */
const EXPORTS_AGE = EXPORTS_MAX_AGE / 1000;
/** The roster is written this often a day even where nothing changed (HEARTBEAT in copy-to-kv.ts). */
const HEARTBEATS_PER_DAY = 24;
/** Octets of a manifest beside its shards' ids or bytes (docs/storage.md), about. */
const MANIFEST_HEAD = 1_000;

/** What `rollcall publish` takes where it replaces so many shards: each is read from the head, and a new one put. */
export const publishing = (shards: number) => ({
  // The key, the head, the commit, and once more where shards were missing.
  requests: 2 + (shards > 0 ? 2 : 1) + 2 * shards,
  // The same, and the alarm that copies to KV.
  registryCalls: 2 + (shards > 0 ? 2 : 1) + 2 * shards + 1,
  // How KV stands against the head.
  kvReads: 1,
});
/** Days that KV keeps a replaced shard. */
const REPLACED_DAYS = REPLACED_LIFE / 86_400_000;
/** Rows that a shard writes: put, marked as copied, as past, noted as replaced, taken out of KV (three), deleted. */
const ROWS_PER_SHARD = 8;

/** How the size lies on isolates, shards and publishes. */
export function shapeOf(size: Size, a: Assumptions, counts: Counts): Shape {
  const requests = size.checks / a.recipientsPerRequest;
  const perSecond = requests / SECONDS_PER_MONTH;
  const perLocation = Math.ceil((perSecond * a.peakHour) / a.locations / a.requestsPerIsolate);
  const isolates = a.isolates ?? a.locations * Math.max(a.isolatesPerLocation, perLocation);
  const rate = perSecond / isolates;
  // Requests come when they please (Poisson): the gap before one is longer than the idle life with this chance.
  const afterIdling = requests * Math.exp(-rate * a.idleLife);
  const perDomain = size.mailboxes / a.domains;
  const bits = shardBitsFor(Math.ceil(perDomain));
  const isInline = bits === 0 && perDomain * counts.bytesPerMailbox <= INLINE_SHARD;
  const shards = isInline ? 0 : a.domains * 2 ** bits;
  const changes = changesIn(size, a);
  const publishes = Math.min(changes, a.publishesPerDay * DAYS_PER_MONTH);
  return {
    isolates,
    coldStarts: Math.min(requests, isolates * a.coldStartsPerDay * DAYS_PER_MONTH + afterIdling),
    refreshes: Math.min(requests, isolates * SECONDS_PER_MONTH * refreshRate(rate, a)) * a.partitions,
    shards,
    bytesPerShard: shards === 0 ? 0 : (size.mailboxes * counts.bytesPerMailbox) / shards,
    publishes,
    shardsPerPublish: publishes === 0 ? 0 : distinct(shards, changes / publishes),
  };
}

/** The first request after half a window asks the Registry anew; while nobody asks, nothing is refreshed. */
const refreshRate = (rate: number, a: Assumptions): number =>
  rate === 0 ? 0 : 1 / (a.window / 2 + 1 / rate);

/** Refreshes until one finds the exports so old that they would be too old by the next (src/reader/background-refresh.ts). */
function refreshesPerLook(rate: number, { window }: Assumptions): number {
  const age = EXPORTS_AGE - window / 2;
  let count = 1;
  // As many more as there are in a row whose halves of a window and gaps together are shorter than that.
  for (let k = 1; (k * window) / 2 < age; k++) count += comeWithin(k, rate * (age - (k * window) / 2));
  return count;
}

/** The chance that `count` requests come where `expected` are expected, at random times. */
function comeWithin(count: number, expected: number): number {
  let term = Math.exp(-expected);
  let fewer = 0;
  for (let i = 0; i < count; i++) {
    fewer += term;
    term *= expected / (i + 1);
  }
  return 1 - fewer;
}

/** Rosters that an isolate reads of each partition when it starts, and calls that it makes once more therefor. */
const seedings = ({ domains, partitions }: Assumptions): number =>
  domains / partitions > MOST_HEADS ? 1 : 0;

/** How many of `kinds` are expected to come up in `draws`, each as likely as any other. */
export function distinct(kinds: number, draws: number): number {
  if (kinds <= 1 || draws <= 1) return Math.min(kinds, draws);
  return -kinds * Math.expm1(draws * Math.log1p(-1 / kinds));
}

/** Packed shards in KV, and the Registry. */
export function ours(size: Size, a: Assumptions, counts: Counts): Use {
  const shape = shapeOf(size, a, counts);
  const { publishes, shardsPerPublish, shards, bytesPerShard } = shape;
  const requests = size.checks / a.recipientsPerRequest;
  const replaced = publishes * shardsPerPublish;
  const bytes = size.mailboxes * counts.bytesPerMailbox;
  const bytesReplacedPerDay = (replaced / DAYS_PER_MONTH) * bytesPerShard;
  const manifestsPerPublish = publishes === 0 ? 0 : distinct(a.domains, changesIn(size, a) / publishes);
  // Every generation keeps its manifest: ids of shards, or the only shard.
  const manifest =
    MANIFEST_HEAD + (shards > 0 ? shards * 32 : size.mailboxes * counts.bytesPerMailbox) / a.domains;
  const keptManifests = (publishes / DAYS_PER_MONTH) * a.historyDays * manifestsPerPublish * manifest;
  const beats = HEARTBEATS_PER_DAY * DAYS_PER_MONTH * a.partitions;
  const questions = Math.min(
    requests * a.partitions,
    shape.refreshes + shape.coldStarts * (counts.callsPerStart + seedings(a)) * a.partitions,
  );
  const publish = publishing(shardsPerPublish);
  const objectRequests = questions + publishes * publish.registryCalls + beats;
  return {
    firstWrites: a.domains + shards + counts.writesPerBeginning,
    monthly: {
      requests: requests + publishes * publish.requests,
      cpuMs: cpuOf(size, a, counts),
      kvReads: readsOf(size, a, counts, shape) + publishes * publish.kvReads,
      kvWrites: publishes * (manifestsPerPublish + counts.writesPerPublish) + replaced + beats,
      kvDeletes: replaced,
      kvBytes: bytes + bytesReplacedPerDay * REPLACED_DAYS,
      objectRequests,
      objectGbSeconds:
        OBJECT_GB * Math.min(a.partitions * SECONDS_PER_MONTH, objectRequests * a.awakePerRequest),
      rowsRead: questions * a.rowsPerQuestion + publishes * a.rowsPerPublish,
      rowsWritten: publishes * a.rowsPerPublish + replaced * ROWS_PER_SHARD,
      objectBytes: bytes + bytesReplacedPerDay * a.historyDays + keptManifests,
    },
  };
}

/** The obvious design: a key for each mailbox, a read for each check, a write for each change. */
export function keyPerMailbox(size: Size, a: Assumptions, counts: Counts): Use {
  return {
    firstWrites: size.mailboxes,
    monthly: {
      requests: size.checks / a.recipientsPerRequest,
      // Its own code does less, the read more; taken alike, in its favour.
      cpuMs: cpuOf(size, a, counts),
      kvReads: size.checks,
      kvWrites: changesIn(size, a),
      kvDeletes: 0,
      kvBytes: size.mailboxes * a.bytesPerKey,
      objectRequests: 0,
      objectGbSeconds: 0,
      rowsRead: 0,
      rowsWritten: 0,
      objectBytes: 0,
    },
  };
}

/** Mailboxes that change in a day. */
export const changesPerDay = ({ mailboxes }: Size, a: Assumptions): number =>
  a.changesPerDay ?? mailboxes * a.changeShare;

/** Mailboxes that change in a month. */
const changesIn = (size: Size, a: Assumptions): number => changesPerDay(size, a) * DAYS_PER_MONTH;

const cpuOf = ({ checks }: Size, a: Assumptions, counts: Counts): number =>
  Math.max(checks * counts.cpuMsPerCheck, (checks / a.recipientsPerRequest) * a.leastCpuMs);

/** KV reads: what cold isolates load, what memory had no room for, what changed or lapsed, and looks for offline exports. */
function readsOf({ mailboxes, checks }: Size, a: Assumptions, counts: Counts, shape: Shape): number {
  const { isolates, coldStarts, shards, publishes, shardsPerPublish } = shape;
  if (checks === 0) return 0;
  const perStart = checks / coldStarts;
  const starts =
    coldStarts *
    (counts.readsPerStart +
      seedings(a) * a.partitions +
      counts.readsPerManifest * distinct(a.domains, perStart));
  // Names are taken as random, the worst there is: a check meets a shard that had to go as often as memory is short.
  const held = Math.min(1, a.cacheBytes / (mailboxes * counts.bytesPerMailbox));
  const filling = coldStarts * distinct(shards, perStart) * held;
  const loaded = shards === 0 ? 0 : Math.min(checks, filling + checks * (1 - held));
  const rate = checks / a.recipientsPerRequest / SECONDS_PER_MONTH / isolates;
  const looks = (isolates * SECONDS_PER_MONTH * refreshRate(rate, a)) / refreshesPerLook(rate, a);
  // The first look of an isolate is among the reads of its start.
  const exports = Math.max(0, looks - coldStarts);
  const between = publishes === 0 ? 0 : checks / isolates / publishes;
  const changed =
    isolates *
    publishes *
    (counts.readsPerManifest * -Math.expm1(-between) +
      (shards === 0 ? 0 : (counts.readsPerShard * shardsPerPublish * distinct(shards, between)) / shards));
  // Where no request came for a whole window, the next one reads the manifest anew.
  const lapsed = Math.max(0, shape.refreshes * Math.exp((-rate * a.window) / 2) - coldStarts * a.partitions);
  return starts + loaded * counts.readsPerShard + changed + exports + lapsed * counts.readsPerManifest;
}
