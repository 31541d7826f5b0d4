/** Thins generations of single changes, and of domains that store much, and frees the blobs that only these named. */
import { getMeta, setMeta } from "./meta.ts";
import type { RegistryStorage } from "./ports.ts";
import { NEVER } from "./records.ts";
import { THINNED_FROM } from "./room.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Minimum time between two passes. */
const PAUSE = 600_000;

/**
 * Of the generations that single changes made, all stay for an hour after they were superseded, then the last of each
 * hour for a day, then the last of each day. If a domain stores more than {@link THINNED_FROM}, only the last of each day stays
 * of all others that were superseded more than a day ago, too. The guard has number, time and counts of all of them in its ledger. A blob that
 * no generation names any more is kept for `life` milliseconds, for readers with an older manifest.
 *
 * @param most rows of one run
 * @returns whether there may be more than one run deletes
 */
export function thinPatches(storage: RegistryStorage, now: number, life: number, most: number): boolean {
  if (now - (getMeta(storage, "thinned") ?? 0) < PAUSE) return false;
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
  for (const domain of new Set([...thinned, ...ofLarge].map((row) => row.domain as string))) {
    freeBlobs(storage, domain, now + life);
  }
  if (thinned.length === most || ofLarge.length === most) return true;
  setMeta(storage, "thinned", now);
  return false;
}

/** Lets the blobs of a domain expire that neither its head nor a generation of its history names. */
function freeBlobs(storage: RegistryStorage, domain: string, expires: number): void {
  const ended = storage.sql(
    `DELETE FROM blob_spans WHERE domain = ? AND NOT EXISTS (
       SELECT 1 FROM generations g
       WHERE g.domain = blob_spans.domain AND g.number >= blob_spans.first AND g.number < blob_spans."end")
     RETURNING id`,
    domain,
  );
  for (const { id } of ended) {
    storage.sql(
      `UPDATE blobs SET expires = min(expires, ?) WHERE domain = ? AND id = ? AND expires < ?
         AND NOT EXISTS (SELECT 1 FROM blob_spans s WHERE s.domain = blobs.domain AND s.id = blobs.id)`,
      expires,
      domain,
      id as string,
      NEVER,
    );
  }
}
