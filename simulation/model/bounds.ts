/** The bounds of docs/consistency.md, as numbers. Milliseconds. */
import { PROPAGATION } from "../../testing/limits.ts";

/** Shortest cacheTtl of KV. */
const CACHE_TTL = 30_000;
/** How long one check may take. */
const CHECK_TIME = 4_500;

export const BOUNDS = {
  /** From the copy to KV until no isolate that can read accepts from what was before: it shows, its cached read ends, what is held lapses, and the last check ends. */
  kv: (window: number): number => PROPAGATION + CACHE_TTL + window + CHECK_TIME,
  /** Within which a first refresh has ended, well or not. */
  firstRefresh: 15_000,
  /** After the last fault that met an isolate, nothing of it lingers: timeouts, leases and pauses are over. */
  recovery: 20_000,
  /** Between learning of a newer generation and holding it, if nothing fails. */
  catchingUp: 8_000,
} as const;
