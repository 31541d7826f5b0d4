import { blobKey, manifestKey } from "../../directory/index.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "./schema.ts";

/** Rows of one run, so that a long history does not hold the object up. */
const ROWS = 500;

/**
 * Lets go of what history need not keep any longer: superseded generations, shards that no kept generation
 * names, tombstones, revocations of tokens that have expired anyway, old lines of the audit trail. To be called
 * inside a transaction. Their keys in KV are left to the copying.
 *
 * @param history milliseconds that a superseded generation is kept
 */
export function prune(storage: RegistryStorage, now: number, history: number): void {
  storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN
       (SELECT domain, number FROM generations WHERE superseded < ? LIMIT ?)`,
    now - history,
    ROWS,
  );
  const blobs = storage.sql("SELECT domain, id, in_kv FROM blobs WHERE expires < ? LIMIT ?", now, ROWS);
  for (const { domain, id, in_kv } of blobs) {
    storage.sql("DELETE FROM blobs WHERE domain = ? AND id = ?", domain as string, id as string);
    if (in_kv !== 0) deleteKey(storage, blobKey(domain as string, id as string));
  }
  pruneTombstones(storage, now, history);
  storage.sql("DELETE FROM revocations WHERE expires < ?", now - history);
  storage.sql("DELETE FROM tokens WHERE expires < ?", now - history);
  storage.sql("DELETE FROM audit WHERE time < ?", now - 12 * history);
}

/** Whether a key that was to be deleted is wanted again. */
export function keepKey(storage: RegistryStorage, key: string): void {
  storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
}

function deleteKey(storage: RegistryStorage, key: string): void {
  storage.sql("INSERT OR IGNORE INTO kv_deletions (key) VALUES (?)", key);
}

/** A tombstone goes when nobody can remember its domain; questions from before it get everything then. */
function pruneTombstones(storage: RegistryStorage, now: number, history: number): void {
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
}
