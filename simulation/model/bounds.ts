/** The bounds of docs/consistency.md, as numbers. Milliseconds. */
import { PROPAGATION } from "../../testing/limits.ts";

/** Shortest cacheTtl of KV. */
const CACHE_TTL = 30_000;
/** How long one check may take. */
const CHECK_TIME = 4_500;
/** For how long KV's own roster serves, and for how long if it cannot be read. */
const EXPORT_ROSTER = 60_000;
const EXPORT_ROSTER_LIFE = 600_000;

export const BOUNDS = {
  /** From the copy to KV until no isolate that can read accepts from what was before: it shows, its cached read ends, what is held lapses, and the last check ends. */
  kv: (window: number): number => PROPAGATION + CACHE_TTL + window + CHECK_TIME,
  /**
   * From the first export of a domain until no isolate that can read KV refuses it as not served, and from when it is
   * taken back until no isolate that can read KV answers from it.
   */
  exportRoster: PROPAGATION + CACHE_TTL + EXPORT_ROSTER + CHECK_TIME,
  /** The same for isolates that cannot read KV. */
  exportRosterUnread: PROPAGATION + CACHE_TTL + EXPORT_ROSTER_LIFE + CHECK_TIME,
  /** Within which a first refresh has ended, well or not. */
  firstRefresh: 15_000,
  /** After the last fault that met an isolate, nothing of it lingers: timeouts, leases and pauses are over. */
  recovery: 20_000,
  /** Between learning of a newer generation and holding it, if nothing fails. */
  catchingUp: 8_000,
} as const;
