/**
 * Cloudflare's public prices and limits, in US dollars; the only place where they are typed in. When they change,
 * change them here and run `npm run cost -- --write`. Limits are on the page `platform/limits/` beside each.
 */

/** When these pages were looked up, in the newest stored copies. */
export const LOOKED_UP = "2026-11-24";
export const SOURCES = {
  workers: "https://developers.cloudflare.com/workers/platform/pricing/",
  kv: "https://developers.cloudflare.com/kv/platform/pricing/",
  objects: "https://developers.cloudflare.com/durable-objects/platform/pricing/",
} as const;

const MILLION = 1e6;
/** A gigabyte as storage is billed. */
const GB = 1e9;

/**
 * @param included units a month that the paid plan includes
 * @param rate dollars for a million units, or for a gigabyte, beyond
 * @param free limit of the free plan: a day (00:00 UTC), or of bytes in total
 */
const price = <Free extends number | null>(
  what: string,
  source: keyof typeof SOURCES,
  included: number,
  rate: number,
  free: Free,
  unit: "" | "ms" | "GB-s" | "bytes" = "",
) => ({ what, unit, included, each: rate / (unit === "bytes" ? GB : MILLION), free, source });

export const PRICES = {
  requests: price("Worker requests", "workers", 10 * MILLION, 0.3, 100_000),
  cpuMs: price("Worker CPU", "workers", 30 * MILLION, 0.02, null, "ms"),
  kvReads: price("KV reads", "kv", 10 * MILLION, 0.5, 100_000),
  kvWrites: price("KV writes", "kv", MILLION, 5, 1_000),
  kvDeletes: price("KV deletes", "kv", MILLION, 5, 1_000),
  kvBytes: price("KV storage", "kv", GB, 0.5, GB, "bytes"),
  objectRequests: price("Registry requests", "objects", MILLION, 0.15, 100_000),
  objectGbSeconds: price("Registry duration", "objects", 400_000, 12.5, 13_000, "GB-s"),
  rowsRead: price("Registry rows read", "objects", 25_000 * MILLION, 0.001, 5 * MILLION),
  rowsWritten: price("Registry rows written", "objects", 50 * MILLION, 1, 100_000),
  objectBytes: price("Registry storage", "objects", 5 * GB, 0.2, 5 * GB, "bytes"),
};
/** Something that is billed. */
export type Item = keyof typeof PRICES;
export const ITEMS = Object.keys(PRICES) as Item[];

/** Dollars a month for the paid plan, with all that {@link PRICES} include. */
export const SUBSCRIPTION = 5;
/** CPU of one request on the free plan, milliseconds. */
export const FREE_CPU_MS = 10;
/** What one Durable Object can do; requests are a soft limit by its FAQ. */
export const OBJECT_LIMITS = { requestsPerSecond: 1_000, bytes: 10 * GB } as const;
/** Memory that an active object is billed for, GB: 128 MB whatever it uses. */
export const OBJECT_GB = 0.128;
