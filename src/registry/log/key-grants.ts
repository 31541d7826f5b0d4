/**
 * Keys of later epochs. Each is given to one token, and only that one can publish under it: a key that a stolen token was
 * given is never the one that a list moves to once the token is revoked.
 */

import { failure } from "../failure.ts";
import type { Head, Records } from "../generations/records.ts";
import type { RegistryStorage } from "../ports.ts";
import { insert } from "../storage/rows.ts";
import { writeAudit } from "./audit.ts";

/**
 * The epoch under which a token may publish next: one that it was given and nobody has used, or else one that no list had
 * and that nobody was given.
 * @throws RegistryFailure `not_found` if the domain has no list; its first key needs no grant
 */
export function grantKey(
  storage: RegistryStorage,
  records: Records,
  domain: string,
  by: string,
  now: number,
): number {
  // A deleted domain may begin again under another key.
  const head = records.head(domain)?.manifest;
  if (head === undefined) throw failure("not_found", `${domain} has no list: publish one first`, { domain });
  const own = storage.sql(
    "SELECT max(epoch) AS epoch FROM key_grants WHERE domain = ? AND token = ? AND used = 0 AND epoch > ?",
    domain,
    by,
    head.epoch,
  )[0]?.epoch;
  if (typeof own === "number") return own;
  const last = storage.sql(
    `SELECT max(coalesce((SELECT max(epoch) FROM key_grants WHERE domain = ?), 0),
       coalesce((SELECT max(epoch) FROM summaries WHERE domain = ?), 0)) AS epoch`,
    domain,
    domain,
  )[0]?.epoch as number;
  const epoch = Math.max(head.epoch, last) + 1;
  insert(storage, "key_grants", { domain, epoch, token: by, time: now, used: 0 });
  writeAudit(storage, now, "key", by, domain, `epoch ${epoch}, to publish under it`);
  return epoch;
}

/** Whether a token was given the key of an epoch that no list was published under. */
export const isGranted = (storage: RegistryStorage, domain: string, epoch: number, by: string): boolean =>
  storage.sql(
    "SELECT 1 FROM key_grants WHERE domain = ? AND epoch = ? AND token = ? AND used = 0",
    domain,
    epoch,
    by,
  ).length > 0;

/** A list is published under a key: nobody is given it, or an earlier one, again. */
export function noteKeyUsed(
  storage: RegistryStorage,
  head: Head | null,
  domain: string,
  epoch: number,
): void {
  if (head === null || head.manifest.epoch === epoch) return;
  storage.sql("UPDATE key_grants SET used = 1 WHERE domain = ? AND epoch <= ?", domain, epoch);
}

/** The domain is gone: its keys begin from the first one. */
export function forgetGrants(storage: RegistryStorage, domain: string): void {
  storage.sql("DELETE FROM key_grants WHERE domain = ?", domain);
}
