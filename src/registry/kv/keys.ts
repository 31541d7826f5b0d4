/** Which keys KV lacks, and which it must lose. Heads and blobs say it here. */
import { blobKey } from "../../directory/index.ts";
import type { RegistryStorage } from "../ports.ts";
import { NEVER } from "../storage/never.ts";
import { insert } from "../storage/rows.ts";

/** How long a replaced blob stays in KV, for isolates with an older manifest: none is a day behind. */
export const REPLACED_LIFE = 86_400_000;
/**
 * `kv_number` of a head of which KV lacks a part that counted as copied: a copy that is under way does not write it. 0: all of it
 * is to be written.
 */
export const PART_LACKS = -1;

/** A new head is copied at once, even if single changes before it wait (kv-budget.ts). Only a failure has its pause. */
export function copyAtOnce(storage: RegistryStorage, domain: string): void {
  storage.sql("UPDATE heads SET kv_next = NULL WHERE domain = ? AND kv_failures IS NULL", domain);
}

/** KV lacks a part of a head. */
export function partLacks(storage: RegistryStorage, domain: string): void {
  storage.sql("UPDATE heads SET kv_number = ? WHERE domain = ?", PART_LACKS, domain);
}

/** What KV has is not known: it gets every list. */
export function everythingLacks(storage: RegistryStorage): void {
  storage.sql("UPDATE heads SET kv_number = 0, kv_failures = NULL, kv_next = NULL");
  storage.sql("UPDATE blobs SET in_kv = 0 WHERE expires = ?", NEVER);
}

/** The head no longer names these blobs. @param ids a list in JSON */
export function areReplaced(storage: RegistryStorage, domain: string, ids: string, now: number): void {
  storage.sql(
    "INSERT OR REPLACE INTO kv_replaced (domain, id, since) SELECT ?, value, ? FROM json_each(?)",
    domain,
    now,
    ids,
  );
}

/** The head names these blobs from now on. @param ids a list in JSON */
export function areWanted(storage: RegistryStorage, domain: string, ids: string): void {
  storage.sql(
    "DELETE FROM kv_replaced WHERE domain = ? AND id IN (SELECT value FROM json_each(?))",
    domain,
    ids,
  );
}

/** Keeps a key of KV that was going to be deleted. */
export function keepKey(storage: RegistryStorage, key: string): void {
  storage.sql("DELETE FROM kv_deletions WHERE key = ?", key);
}

/** Copying deletes a key of KV. */
export function deleteKey(storage: RegistryStorage, key: string): void {
  insert(storage, "kv_deletions", { key }, "ON CONFLICT DO NOTHING");
}

/**
 * Deletes replaced blobs from KV, a day after the head stopped naming them. History still has them here: a rollback
 * writes them to KV again. While KV has an older manifest than the head's, it keeps all blobs of the domain.
 * @param most rows of one run
 * @returns whether there may be more
 */
export function pruneReplaced(storage: RegistryStorage, now: number, most: number): boolean {
  const replaced = storage.sql(
    `SELECT r.domain, r.id, b.expires FROM kv_replaced r LEFT JOIN blobs b ON b.domain = r.domain AND b.id = r.id
       WHERE r.since < ? AND NOT EXISTS (SELECT 1 FROM heads h WHERE h.domain = r.domain AND h.kv_number < h.number)
         AND NOT EXISTS (SELECT 1 FROM left_blobs l WHERE l.domain = r.domain AND l.id = r.id)
       LIMIT ?`,
    now - REPLACED_LIFE,
    most,
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
  return replaced.length === most;
}
