import { blobKey, GUARD_SPAN, manifestKey } from "../directory/index.ts";
import { deleteLedger } from "./guard-store.ts";
import { deleteJournal, pruneJournal } from "./journal.ts";
import { getMeta, setMeta } from "./meta.ts";
import { pruneKeys } from "./patch-keys.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";
import { NEVER, type Records } from "./records.ts";
import { pruneUploads } from "./room.ts";
import { insert } from "./rows.ts";
import { settleLeft } from "./settle-left.ts";
import { thinPatches } from "./thin-patches.ts";

/** Rows of one run, so that a long history does not block the object. */
const ROWS = 500;
/** How long a replaced blob stays in KV, for isolates with an older manifest: none is a day behind. */
export const REPLACED_LIFE = 86_400_000;

/**
 * Deletes what has outlived history: superseded generations, blobs that none of the kept ones names, tombstones,
 * revocations of tokens that have expired, old lines of the audit trail. Copying deletes their keys in KV. Call it
 * inside a transaction.
 *
 * @param history milliseconds that a superseded generation is kept
 * @returns whether there may be more than one run deletes
 */
export function prune(storage: RegistryStorage, records: Records, now: number, history: number): boolean {
  const generations = storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN
       (SELECT domain, number FROM generations WHERE superseded < ? LIMIT ?) RETURNING domain`,
    now - history,
    ROWS,
  );
  for (const domain of new Set(generations.map((row) => row.domain as string))) pruneJournal(storage, domain);
  const isMoreToThin = thinPatches(storage, now, REPLACED_LIFE, ROWS);
  const isMoreKeys = pruneKeys(storage, now, ROWS);
  const isMoreToSettle = settleLeft(storage, records, now, history);
  const blobs = storage.sql("SELECT domain, id, in_kv FROM blobs WHERE expires < ? LIMIT ?", now, ROWS);
  for (const { domain, id, in_kv } of blobs) {
    storage.sql("DELETE FROM blobs WHERE domain = ? AND id = ?", domain as string, id as string);
    storage.sql("DELETE FROM blob_spans WHERE domain = ? AND id = ?", domain as string, id as string);
    if (in_kv !== 0) deleteKey(storage, blobKey(domain as string, id as string));
  }
  const replaced = pruneReplaced(storage, now);
  const tombstones = pruneTombstones(storage, now, history);
  const ledgers = pruneLedgers(storage, now);
  pruneUploads(storage, now);
  storage.sql("DELETE FROM revocations WHERE expires < ?", now - history);
  storage.sql("DELETE FROM tokens WHERE expires < ?", now - history);
  storage.sql("DELETE FROM audit WHERE time < ?", now - 12 * history);
  if (isMoreToThin || isMoreKeys || isMoreToSettle) return true;
  return [generations, blobs, replaced, tombstones, ledgers].some((rows) => rows.length === ROWS);
}

/** Keeps a key of KV that was going to be deleted. */
export function keepKey(storage: RegistryStorage, key: string): void {
  storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
}

function deleteKey(storage: RegistryStorage, key: string): void {
  insert(storage, "kv_deletions", { key }, "ON CONFLICT DO NOTHING");
}

/**
 * Deletes replaced blobs from KV, a day after the head stopped naming them. History still has them here: a rollback
 * writes them to KV again. While KV has an older manifest than the head's, it keeps all blobs of the domain.
 */
function pruneReplaced(storage: RegistryStorage, now: number): SqlRow[] {
  const replaced = storage.sql(
    `SELECT r.domain, r.id, b.expires FROM kv_replaced r LEFT JOIN blobs b ON b.domain = r.domain AND b.id = r.id
       WHERE r.since < ? AND NOT EXISTS (SELECT 1 FROM heads h WHERE h.domain = r.domain AND h.kv_number < h.number)
         AND NOT EXISTS (SELECT 1 FROM left_blobs l WHERE l.domain = r.domain AND l.id = r.id)
       LIMIT ?`,
    now - REPLACED_LIFE,
    ROWS,
  );
  for (const { domain, id, expires } of replaced as {
    domain: string;
    id: string;
    expires: number | null;
  }[]) {
    storage.sql("DELETE FROM kv_replaced WHERE domain = ? AND id = ?", domain, id);
    // Deleted already, or the head's again: a release that did not know this table may have rolled back to it.
    if (expires === null || expires === NEVER) continue;
    storage.sql("UPDATE blobs SET in_kv = 0 WHERE domain = ? AND id = ?", domain, id);
    deleteKey(storage, blobKey(domain, id));
  }
  return replaced;
}

/** Deletes ledgers of the guard without a commit within a day: the head's generation says all that they do. */
function pruneLedgers(storage: RegistryStorage, now: number): SqlRow[] {
  const idle = storage.sql(
    "SELECT domain FROM guard_ledgers WHERE updated < ? LIMIT ?",
    now - GUARD_SPAN,
    ROWS,
  );
  for (const { domain } of idle) deleteLedger(storage, domain as string);
  return idle;
}

/** Deletes old tombstones. Isolates that know less than a deleted one get the whole list of heads. */
function pruneTombstones(storage: RegistryStorage, now: number, history: number): SqlRow[] {
  const gone = storage.sql(
    "SELECT domain, number FROM heads WHERE deleted IS NOT NULL AND deleted < ? LIMIT ?",
    now - history,
    ROWS,
  );
  for (const row of gone) {
    const domain = row.domain as string;
    const number = row.number as number;
    setMeta(storage, "purged", Math.max(getMeta(storage, "purged") ?? 0, number));
    storage.sql("DELETE FROM heads WHERE domain = ?", domain);
    storage.sql("DELETE FROM generations WHERE domain = ?", domain);
    deleteJournal(storage, domain);
    storage.sql("DELETE FROM brakes WHERE domain = ?", domain);
    storage.sql("DELETE FROM key_grants WHERE domain = ?", domain);
    storage.sql("DELETE FROM usage WHERE domain = ?", domain);
    deleteKey(storage, manifestKey(domain));
  }
  return gone;
}
