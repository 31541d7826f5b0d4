/**
 * Cloudflare's public prices and limits, in US dollars; the one place where they are typed in. Where they change,
 * change them here and run `npm run cost -- --write`.
 */

/** When the pages below were looked up, in stored copies: the newest that could be had. */
export const LOOKED_UP = "2026-11-24";

export const SOURCES = {
  workers: "https://developers.cloudflare.com/workers/platform/pricing/",
  workersLimits: "https://developers.cloudflare.com/workers/platform/limits/",
  kv: "https://developers.cloudflare.com/kv/platform/pricing/",
  kvLimits: "https://developers.cloudflare.com/kv/platform/limits/",
  objects: "https://developers.cloudflare.com/durable-objects/platform/pricing/",
  objectLimits: "https://developers.cloudflare.com/durable-objects/platform/limits/",
} as const;

/** What is paid for one thing that is used, on the paid plan. */
export interface Price {
  readonly what: string;
  /** What is counted; nothing where it is the thing itself. */
  readonly unit: "" | "ms" | "GB-s" | "bytes";
  /** Units a month without extra charge. */
  readonly included: number;
  /** Dollars for each unit beyond. */
  readonly each: number;
  readonly source: keyof typeof SOURCES;
}

const MILLION = 1_000_000;
/** A gigabyte as storage is billed. */
export const GB = 1_000_000_000;

/** Dollars a month for the paid plan, with all that {@link PRICES} call included. */
export const SUBSCRIPTION = 5;

export const PRICES = {
  requests: price("Worker requests", 10 * MILLION, 0.3, "workers"),
  cpuMs: price("Worker CPU", 30 * MILLION, 0.02, "workers", "ms"),
  kvReads: price("KV reads", 10 * MILLION, 0.5, "kv"),
  kvWrites: price("KV writes", MILLION, 5, "kv"),
  kvDeletes: price("KV deletes", MILLION, 5, "kv"),
  kvBytes: { what: "KV storage", unit: "bytes", included: GB, each: 0.5 / GB, source: "kv" },
  objectRequests: price("Registry requests", MILLION, 0.15, "objects"),
  objectGbSeconds: price("Registry duration", 400_000, 12.5, "objects", "GB-s"),
  rowsRead: price("Registry rows read", 25_000 * MILLION, 0.001, "objects"),
  rowsWritten: price("Registry rows written", 50 * MILLION, 1, "objects"),
  objectBytes: {
    what: "Registry storage",
    unit: "bytes",
    included: 5 * GB,
    each: 0.2 / GB,
    source: "objects",
  },
} as const satisfies Readonly<Record<string, Price>>;

/** Something that is paid for. */
export type Item = keyof typeof PRICES;

/** One limit of the free plan. */
export interface FreeLimit {
  readonly limit: number;
  /** Whether it starts again every day (00:00 UTC); else it is a total. */
  readonly isDaily: boolean;
  readonly source: keyof typeof SOURCES;
}

/** The free plan: what passes a limit fails until the next day. */
export const FREE_LIMITS = {
  requests: { limit: 100_000, isDaily: true, source: "workersLimits" },
  kvReads: { limit: 100_000, isDaily: true, source: "kv" },
  kvWrites: { limit: 1_000, isDaily: true, source: "kv" },
  kvDeletes: { limit: 1_000, isDaily: true, source: "kv" },
  kvBytes: { limit: GB, isDaily: false, source: "kv" },
  objectRequests: { limit: 100_000, isDaily: true, source: "objects" },
  objectGbSeconds: { limit: 13_000, isDaily: true, source: "objects" },
  rowsRead: { limit: 5 * MILLION, isDaily: true, source: "objects" },
  rowsWritten: { limit: 100_000, isDaily: true, source: "objects" },
  objectBytes: { limit: 5 * GB, isDaily: false, source: "objects" },
} as const satisfies Partial<Readonly<Record<Item, FreeLimit>>>;

/** CPU of one request on the free plan, milliseconds (workersLimits). */
export const FREE_CPU_MS = 10;

/** What one Durable Object can do (objectLimits; requests: a soft limit by its FAQ). */
export const OBJECT_LIMITS = { requestsPerSecond: 1_000, bytes: 10 * GB } as const;

/** Memory that an object is billed for while it is active, in GB (objects: 128 MB whatever it uses). */
export const OBJECT_GB = 0.128;

/** @param perMillion dollars for a million units beyond those included */
function price(
  what: string,
  included: number,
  perMillion: number,
  source: Price["source"],
  unit: Price["unit"] = "",
): Price {
  return { what, unit, included, each: perMillion / MILLION, source };
}
