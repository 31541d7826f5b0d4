/** What readers missed in KV is copied again, if it was lost there. */
import type { RegistryStorage } from "../ports.ts";
import { NEVER } from "../storage/never.ts";
import { PART_LACKS } from "./keys.ts";

/** A copy that readers still miss after this long was lost, and is written again. */
const LOST_AFTER = 300_000;

/** A reader did not find a head in KV. If it was written long enough ago, it is written again. */
export function noteMissing(storage: RegistryStorage, domain: string, now: number): void {
  storage.sql(
    "UPDATE heads SET kv_number = 0 WHERE domain = ? AND kv_number = number AND kv_time < ?",
    domain,
    now - LOST_AFTER,
  );
}

/**
 * A reader did not find a blob in KV. If it was written long enough ago, it is written again, and its head after it.
 * Each blob has its own time (`in_kv`, 0 if it is not in KV), so that writing one again does not delay the others.
 * @returns whether it is written again
 */
export function noteMissingBlob(storage: RegistryStorage, domain: string, id: string, now: number): boolean {
  const lost = storage.sql(
    "SELECT id FROM blobs WHERE domain = ? AND id = ? AND in_kv > 0 AND in_kv < ? AND expires = ?",
    domain,
    id,
    now - LOST_AFTER,
    NEVER,
  );
  if (lost.length === 0) return false;
  storage.sql("UPDATE blobs SET in_kv = 0 WHERE domain = ? AND id = ?", domain, id);
  // Nor does it wait for the budget for single changes.
  storage.sql(
    "UPDATE heads SET kv_number = ?, kv_next = iif(kv_failures > 0, kv_next, NULL) WHERE domain = ?",
    PART_LACKS,
    domain,
  );
  return true;
}
