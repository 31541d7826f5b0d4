/** Thins generations of single changes, and of domains that store much. */

import { THINNED_FROM } from "../blobs/room.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "../storage/meta.ts";
import type { Deleted } from "./history.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Minimum time between two passes. */
const PAUSE = 600_000;

/**
 * Of the generations that single changes made, all stay for an hour after they were superseded, then the last of each
 * hour for a day, then the last of each day. If a domain stores more than {@link THINNED_FROM}, only the last of each day stays
 * of all others that were superseded more than a day ago, too. The guard has number, time and counts of all of them in its ledger.
 *
 * @param most rows of one run
 * @returns the domains of generations that went: blobs may be left that none names any more
 */
export function thinPatches(storage: RegistryStorage, now: number, most: number): Deleted {
  if (now - (getMeta(storage, "thinned") ?? 0) < PAUSE) return { domains: new Set(), isMore: false };
  const thinned = storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN (
       SELECT g.domain, g.number FROM generations g
       WHERE g.action = 'patch' AND g.superseded < ? AND EXISTS (
         SELECT 1 FROM generations later
         WHERE later.domain = g.domain AND later.number > g.number AND later.action = 'patch'
           AND later.superseded < ?
           AND CAST(later.time / iif(g.superseded < ?, ?, ?) AS INTEGER) =
             CAST(g.time / iif(g.superseded < ?, ?, ?) AS INTEGER))
       LIMIT ?) RETURNING domain`,
    now - HOUR,
    now - HOUR,
    now - DAY,
    DAY,
    HOUR,
    now - DAY,
    DAY,
    HOUR,
    most,
  );
  const ofLarge = storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN (
       SELECT g.domain, g.number FROM usage u JOIN generations g ON g.domain = u.domain
       WHERE u.bytes > ? AND g.superseded < ? AND EXISTS (
         SELECT 1 FROM generations later
         WHERE later.domain = g.domain AND later.number > g.number AND later.superseded < ?
           AND CAST(later.time / ? AS INTEGER) = CAST(g.time / ? AS INTEGER))
       LIMIT ?) RETURNING domain`,
    THINNED_FROM,
    now - DAY,
    now - DAY,
    DAY,
    DAY,
    most,
  );
  const isMore = thinned.length === most || ofLarge.length === most;
  if (!isMore) setMeta(storage, "thinned", now);
  return { domains: new Set([...thinned, ...ofLarge].map(({ domain }) => domain as string)), isMore };
}
