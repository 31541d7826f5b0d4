/**
 * Paces the copies of single changes, so that a day of them fits KV's daily limit on the free plan. The Registry is the truth
 * meanwhile: an isolate that asked it has the change, and gets from it what KV has not yet.
 */

import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "../storage/meta.ts";

const DAY = 86_400_000;

/** Share of a day's writes that copies of single changes may take. Publishes, rosters and repairs have the rest. */
const SHARE = 0.5;
/** Part of that share that may be written at once. The rest comes back over the day. */
const AT_ONCE = 0.4;

/** What a partition may write for single changes: so many at once, and one more for each interval (milliseconds). */
export interface KvBudget {
  readonly burst: number;
  readonly interval: number;
}

/**
 * @param aDay KV writes of all partitions
 * @returns a budget of which no 24 hours take more than half of `aDay`, if no copy has more keys than the burst
 */
export function kvBudget(aDay: number, partitions: number): KvBudget {
  const share = (aDay * SHARE) / partitions;
  const burst = Math.max(1, Math.floor(share * AT_ONCE));
  return { burst, interval: DAY / Math.max(1, share - burst) };
}

/** Whether everything that KV lacks of a domain was made by single changes. What KV lost is written again without a pause. */
export const isPatchedOnly = (storage: RegistryStorage, domain: string): boolean =>
  storage.sql(
    `SELECT 1 FROM generations g JOIN heads h ON h.domain = g.domain
     WHERE g.domain = ? AND g.number > h.kv_number AND (g.action != 'patch' OR h.kv_number <= 0) LIMIT 1`,
    domain,
  ).length === 0;

/**
 * When so many keys may be written, Unix milliseconds; `now` or earlier: at once. More keys than the burst wait until all of it
 * is there.
 */
export function affordableAt(storage: RegistryStorage, { burst, interval }: KvBudget, keys: number): number {
  // The time by which what was written has come back.
  const paid = getMeta(storage, "kv_paid") ?? 0;
  return paid + (Math.min(keys, burst) - burst) * interval;
}

/** Takes one write out of the budget. */
export function payForWrite(storage: RegistryStorage, { interval }: KvBudget, now: number): void {
  setMeta(storage, "kv_paid", Math.max(getMeta(storage, "kv_paid") ?? 0, now) + interval);
}
