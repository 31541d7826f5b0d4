/** How much of everything a size uses in a month, by our design and by one KV key a mailbox. */
import { shardBitsFor } from "../../src/directory/index.ts";
import { MOST_HEADS } from "../../src/edge/environment.ts";
import { INLINE_SHARD } from "../../src/publish/pack.ts";
import { REPLACED_LIFE } from "../../src/registry/kv/keys.ts";
import { type Assumptions, DAYS_PER_MONTH, SECONDS_PER_MONTH } from "./assumptions.ts";
import type { Counts } from "./counts.ts";
import { ITEMS, type Item, OBJECT_GB } from "./prices.ts";

/** Checks are those a month that reach the edge: a bridge answers others from its cache. */
export type Size = { readonly mailboxes: number; readonly checks: number };
/** Units of a month. */
export type Usage = Readonly<Record<Item, number>>;
/** What a design uses: every month, and in KV writes once, for the first publication. */
export type Use = { readonly monthly: Usage; readonly firstWrites: number };
export type Design = (size: Size, a: Assumptions, counts: Counts) => Use;

/** The roster is written this often a day even if nothing changed (HEARTBEAT in copy-to-kv.ts). */
const HEARTBEATS_PER_DAY = 24;
/** Octets of a manifest beside its shards' ids or bytes (docs/storage.md), about. */
const MANIFEST_HEAD = 1_000;
/** Days that KV keeps a replaced shard. */
const REPLACED_DAYS = REPLACED_LIFE / 86_400_000;

/** What `rollcall publish` takes if it replaces so many shards: each is read from the head, and a new one put. */
export function publishing(shards: number) {
  // The key, the head, the guard's judgement of the plan, the commit, and once more if shards were missing.
  const requests = 3 + (shards > 0 ? 2 : 1) + 2 * shards;
  // The alarm copies to KV; one read compares KV with the head.
  return { requests, registryCalls: requests + 1, kvReads: 1 };
}

/** How the size lies on isolates, shards and publishes; all but isolates and rate are of a month. */
export function shapeOf(size: Size, a: Assumptions, counts: Counts) {
  const requests = size.checks / a.recipientsPerRequest;
  const perSecond = requests / SECONDS_PER_MONTH;
  const perLocation = Math.ceil((perSecond * a.peakHour) / a.locations / a.requestsPerIsolate);
  const isolates = a.isolates ?? a.locations * Math.max(a.isolatesPerLocation, perLocation);
  const rate = perSecond / isolates;
  // The first request after half a window asks the Registry; while nobody asks, nothing is refreshed.
  const ownRefreshes = rate === 0 ? 0 : (isolates * SECONDS_PER_MONTH) / (a.window / 2 + 1 / rate);
  // Requests come at random times (Poisson): the gap before one is longer than the idle life with this chance.
  const afterIdling = requests * Math.exp(-rate * a.idleLife);
  const perDomain = size.mailboxes / a.domains;
  const bits = shardBitsFor(Math.ceil(perDomain));
  const isInline = bits === 0 && perDomain * counts.bytesPerMailbox <= INLINE_SHARD;
  const shards = isInline ? 0 : a.domains * 2 ** bits;
  const changes = changesPerDay(size, a) * DAYS_PER_MONTH;
  const publishes = Math.min(changes, a.publishesPerDay * DAYS_PER_MONTH);
  const changesPerPublish = publishes === 0 ? 0 : changes / publishes;
  return {
    requests,
    isolates,
    /** Requests a second, each isolate. */
    rate,
    /** Starts of isolates that hold nothing. */
    coldStarts: Math.min(requests, isolates * a.coldStartsPerDay * DAYS_PER_MONTH + afterIdling),
    /** Requests of isolates to Registries that ask what changed. */
    refreshes: Math.min(requests, ownRefreshes) * a.partitions,
    /** Rosters that an isolate reads when it starts, and further calls for them, for each partition. */
    seedings: a.domains / a.partitions > MOST_HEADS ? 1 : 0,
    /** Shards of all domains; none if the only one is in the manifest. */
    shards,
    bytes: size.mailboxes * counts.bytesPerMailbox,
    publishes,
    /** What one publish replaces. */
    shardsPerPublish: distinct(shards, changesPerPublish),
    manifestsPerPublish: distinct(a.domains, changesPerPublish),
  };
}
type Shape = ReturnType<typeof shapeOf>;

/** How many of `kinds` are expected to come up in `draws`, each as likely as any other. */
export function distinct(kinds: number, draws: number): number {
  if (kinds <= 1 || draws <= 1) return Math.min(kinds, draws);
  return -kinds * Math.expm1(draws * Math.log1p(-1 / kinds));
}

/** Packed shards in KV, and the Registry. */
export function ours(size: Size, a: Assumptions, counts: Counts): Use {
  const shape = shapeOf(size, a, counts);
  const { requests, publishes, shards, bytes } = shape;
  const replaced = publishes * shape.shardsPerPublish;
  const bytesReplacedPerDay = shards === 0 ? 0 : (replaced / DAYS_PER_MONTH) * (bytes / shards);
  // Every generation keeps its manifest: ids of shards, or the only shard.
  const manifest = MANIFEST_HEAD + (shards > 0 ? shards * 32 : bytes) / a.domains;
  const manifestsPerDay = (publishes / DAYS_PER_MONTH) * shape.manifestsPerPublish;
  const beats = HEARTBEATS_PER_DAY * DAYS_PER_MONTH * a.partitions;
  const startCalls = shape.coldStarts * (counts.callsPerStart + shape.seedings) * a.partitions;
  const questions = Math.min(requests * a.partitions, shape.refreshes + startCalls);
  // Counters come with refreshes, and are written once a minute at most.
  const minutesAsked = Math.min(shape.refreshes, (a.partitions * SECONDS_PER_MONTH) / 60);
  const publish = publishing(shape.shardsPerPublish);
  const objectRequests = questions + publishes * publish.registryCalls + beats;
  const secondsAwake = Math.min(a.partitions * SECONDS_PER_MONTH, objectRequests * a.awakePerRequest);
  return {
    firstWrites: a.domains + shards + counts.writesPerFirstPublication,
    monthly: {
      requests: requests + publishes * publish.requests,
      cpuMs: cpuOf(size, a, counts),
      kvReads: readsOf(size.checks, a, counts, shape) + publishes * publish.kvReads,
      kvWrites: publishes * (shape.manifestsPerPublish + counts.writesPerPublish) + replaced + beats,
      kvDeletes: replaced,
      kvBytes: bytes + bytesReplacedPerDay * REPLACED_DAYS,
      objectRequests,
      objectGbSeconds: OBJECT_GB * secondsAwake,
      rowsRead: questions * a.rowsReadPerQuestion + publishes * a.rowsReadPerPublish,
      rowsWritten:
        a.partitions * DAYS_PER_MONTH * counts.rowsPerDay +
        minutesAsked * counts.rowsPerMinute +
        publishes * shape.manifestsPerPublish * counts.rowsPerPublish +
        replaced * counts.rowsPerShard,
      objectBytes: bytes + (bytesReplacedPerDay + manifestsPerDay * manifest) * a.historyDays,
    },
  };
}

const NOTHING = Object.fromEntries(ITEMS.map((item) => [item, 0])) as Usage;

/** The obvious design: a key for each mailbox, a read for each check, a write for each change. */
export function keyPerMailbox(size: Size, a: Assumptions, counts: Counts): Use {
  const monthly = {
    ...NOTHING,
    requests: size.checks / a.recipientsPerRequest,
    // Its own code does less, the read more; taken alike, in its favour.
    cpuMs: cpuOf(size, a, counts),
    kvReads: size.checks,
    kvWrites: changesPerDay(size, a) * DAYS_PER_MONTH,
    kvBytes: size.mailboxes * a.bytesPerKey,
  };
  return { firstWrites: size.mailboxes, monthly };
}

/** Mailboxes that change in a day. */
export const changesPerDay = ({ mailboxes }: Size, a: Assumptions): number =>
  a.changesPerDay ?? mailboxes * a.changeShare;

const cpuOf = ({ checks }: Size, a: Assumptions, counts: Counts): number =>
  Math.max(checks * counts.cpuMsPerCheck, (checks / a.recipientsPerRequest) * a.leastCpuMs);

/** KV reads: what cold isolates load, what memory had no room for, and what changed or lapsed. */
function readsOf(checks: number, a: Assumptions, counts: Counts, shape: Shape): number {
  if (checks === 0) return 0;
  const { isolates, rate, coldStarts, shards, publishes } = shape;
  const perStart = checks / coldStarts;
  const ofManifests = counts.readsPerManifest * distinct(a.domains, perStart);
  const starts = coldStarts * (shape.seedings * a.partitions + ofManifests);
  // Names are taken as random, the worst there is: a check meets an evicted shard as often as memory is short.
  const held = Math.min(1, a.cacheBytes / shape.bytes);
  const filling = coldStarts * distinct(shards, perStart) * held;
  const loaded = shards === 0 ? 0 : Math.min(checks, filling + checks * (1 - held));
  const between = publishes === 0 ? 0 : checks / isolates / publishes;
  const ofShards = shards === 0 ? 0 : (shape.shardsPerPublish * distinct(shards, between)) / shards;
  const changed =
    isolates *
    publishes *
    (counts.readsPerManifest * -Math.expm1(-between) + counts.readsPerShard * ofShards);
  // If no request came for a whole window, the next one reads the manifest again.
  const lapsed = Math.max(0, shape.refreshes * Math.exp((-rate * a.window) / 2) - coldStarts * a.partitions);
  return starts + loaded * counts.readsPerShard + changed + lapsed * counts.readsPerManifest;
}
