/** Results of single changes by their idempotency keys, so that a change which is sent again is made once. */
import type { PatchResult } from "../../api/index.ts";
import { badRequest } from "../failure.ts";
import type { RegistryStorage } from "../ports.ts";
import type { IdempotencyKey } from "../protocol.ts";
import { insert } from "../storage/rows.ts";

/** How long a key is remembered, milliseconds. */
export const KEY_LIFE = 86_400_000;
/** Keys that one domain has, about; its oldest are forgotten first. */
const MAX_KEYS = 50_000;
/** Of so many keys, one looks whether its domain has too many. */
const LOOK_EVERY = 500;

/**
 * The result that was remembered, or null.
 * @throws RegistryFailure `bad_request` if the key stands for other changes
 */
export function rememberedResult(
  storage: RegistryStorage,
  domain: string,
  { key, digest }: IdempotencyKey,
  now: number,
): PatchResult | null {
  const row = storage.sql(
    "SELECT digest, result FROM patch_keys WHERE domain = ? AND key = ? AND time > ?",
    domain,
    key,
    now - KEY_LIFE,
  )[0];
  if (row === undefined) return null;
  if (row.digest === digest) return JSON.parse(row.result as string) as PatchResult;
  throw badRequest(domain, "this Idempotency-Key was sent with other changes: use a new one");
}

export function rememberResult(
  storage: RegistryStorage,
  { key, digest }: IdempotencyKey,
  result: PatchResult,
  now: number,
): void {
  const { domain } = result;
  storage.sql("DELETE FROM patch_keys WHERE domain = ? AND key = ?", domain, key);
  insert(storage, "patch_keys", { domain, key, time: now, digest, result: JSON.stringify(result) });
  const seq = storage.sql("SELECT max(seq) AS seq FROM patch_keys")[0]?.seq as number;
  if (seq % LOOK_EVERY !== 0) return;
  storage.sql(
    `DELETE FROM patch_keys WHERE domain = ? AND seq <=
       (SELECT seq FROM patch_keys WHERE domain = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
    domain,
    domain,
    MAX_KEYS,
  );
}

/** Forgets old keys. @returns whether there may be more than it forgets at once */
export function pruneKeys(storage: RegistryStorage, now: number, most: number): boolean {
  const gone = storage.sql(
    `DELETE FROM patch_keys WHERE seq IN (SELECT seq FROM patch_keys WHERE time <= ? ORDER BY time LIMIT ?)
     RETURNING seq`,
    now - KEY_LIFE,
    most,
  );
  return gone.length === most;
}
