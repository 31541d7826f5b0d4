import { blobKey, GUARD_SPAN, manifestKey } from "../directory/index.ts";
import { getMeta, setMeta } from "./meta.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";

/** Rows of one run, so that a long history does not hold the object up. */
const ROWS = 500;
/** A replaced blob stays in KV for isolates whose manifest is an old one; a manifest is not a day behind. */
export const REPLACED_LIFE = 86_400_000;

/**
 * Lets go of what history need not keep any longer: superseded generations, shards that no kept generation
 * names, tombstones, revocations of tokens that have expired anyway, old lines of the audit trail. To be called
 * inside a transaction. Their keys in KV are left to the copying.
 *
 * @param history milliseconds that a superseded generation is kept
 * @returns whether there may be more to let go of than one run takes
 */
export function prune(storage: RegistryStorage, now: number, history: number): boolean {
  const generations = storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN
       (SELECT domain, number FROM generations WHERE superseded < ? LIMIT ?) RETURNING domain`,
    now - history,
    ROWS,
  );
  const blobs = storage.sql("SELECT domain, id, in_kv FROM blobs WHERE expires < ? LIMIT ?", now, ROWS);
  for (const { domain, id, in_kv } of blobs) {
    storage.sql("DELETE FROM blobs WHERE domain = ? AND id = ?", domain as string, id as string);
    if (in_kv !== 0) deleteKey(storage, blobKey(domain as string, id as string));
  }
  const replaced = pruneReplaced(storage, now);
  const tombstones = pruneTombstones(storage, now, history);
  const ledgers = pruneLedgers(storage, now);
  storage.sql("DELETE FROM revocations WHERE expires < ?", now - history);
  storage.sql("DELETE FROM tokens WHERE expires < ?", now - history);
  storage.sql("DELETE FROM audit WHERE time < ?", now - 12 * history);
  return [generations, blobs, replaced, tombstones, ledgers].some((rows) => rows.length === ROWS);
}

/** Whether a key that was to be deleted is wanted again. */
export function keepKey(storage: RegistryStorage, key: string): void {
  storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
}

function deleteKey(storage: RegistryStorage, key: string): void {
  storage.sql("INSERT OR IGNORE INTO kv_deletions (key) VALUES (?)", key);
}

/**
 * KV lets go of what no head names any more long before history does, since only a rollback can want it, and finds it
 * here: it is put into KV again then. As long as KV shows an older manifest than the head's, it keeps all of it.
 */
function pruneReplaced(storage: RegistryStorage, now: number): SqlRow[] {
  const replaced = storage.sql(
    `SELECT r.domain, r.id, b.expires FROM kv_replaced r LEFT JOIN blobs b ON b.domain = r.domain AND b.id = r.id
       WHERE r.since < ? AND NOT EXISTS (SELECT 1 FROM heads h WHERE h.domain = r.domain AND h.kv_number < h.number)
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
    // Gone already, or the head's: a release that did not know this table may have rolled back to it.
    if (expires === null) continue;
    storage.sql("UPDATE blobs SET in_kv = 0 WHERE domain = ? AND id = ?", domain, id);
    deleteKey(storage, blobKey(domain, id));
  }
  return replaced;
}

/** A ledger of the guard that saw no commit for a day holds nothing that the head's generation does not say. */
function pruneLedgers(storage: RegistryStorage, now: number): SqlRow[] {
  const idle = storage.sql(
    "SELECT domain FROM guard_ledgers WHERE updated < ? LIMIT ?",
    now - GUARD_SPAN,
    ROWS,
  );
  for (const { domain } of idle as { domain: string }[]) {
    storage.sql("DELETE FROM guard_ledgers WHERE domain = ?", domain);
    storage.sql("DELETE FROM guard_spans WHERE domain = ?", domain);
  }
  return idle;
}

/** A tombstone goes when nobody can remember its domain; questions from before it get everything then. */
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
    deleteKey(storage, manifestKey(domain));
  }
  return gone;
}
