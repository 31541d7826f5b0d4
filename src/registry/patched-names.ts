/** What single changes did to each name since the domain's last publish. */
import { failure } from "./failure.ts";
import type { RegistryStorage } from "./ports.ts";
import { insert } from "./rows.ts";
import { bytesOf } from "./summaries.ts";

/** Names that single changes may change before the list has to be published again. */
export const MAX_PATCHED = 100_000;

/** A name that single changes changed. States are indexes into `ENTRY_STATES`, or `UNLISTED`. */
export interface PatchedName {
  /** Its full fingerprint: a shard has the tail alone, from which a list of more shards cannot be made. */
  readonly fingerprint: Uint8Array;
  /** Its state in the list that was published last. */
  readonly was: number;
  readonly state: number;
}

/**
 * Adds changes of one generation. A name that is again as it was published is forgotten.
 * @param changes `was` is the state before this generation
 * @throws RegistryFailure `repack_needed`
 */
export function notePatches(
  storage: RegistryStorage,
  domain: string,
  number: number,
  changes: readonly PatchedName[],
): void {
  for (const { fingerprint, was, state } of changes) {
    insert(
      storage,
      "patched_names",
      { domain, fingerprint, was, state, number },
      "ON CONFLICT DO UPDATE SET state = excluded.state, number = excluded.number",
    );
    storage.sql(
      "DELETE FROM patched_names WHERE domain = ? AND fingerprint = ? AND was = state",
      domain,
      fingerprint,
    );
  }
  const isTooMany = storage.sql(
    "SELECT 1 FROM patched_names WHERE domain = ? LIMIT 1 OFFSET ?",
    domain,
    MAX_PATCHED,
  );
  if (isTooMany.length === 0) return;
  throw failure(
    "repack_needed",
    `${domain}: single changes changed ${MAX_PATCHED} names since the list was published; publish the list`,
    { domain },
  );
}

/** Forgets the changes of a domain: a newer list settles them. */
export function settlePatches(storage: RegistryStorage, domain: string): void {
  storage.sql("DELETE FROM patched_names WHERE domain = ?", domain);
}

/** The changed names of a domain, in the order of their fingerprints. */
export const patchedNames = (storage: RegistryStorage, domain: string, limit: number): PatchedName[] =>
  storage
    .sql(
      "SELECT fingerprint, was, state FROM patched_names WHERE domain = ? ORDER BY fingerprint LIMIT ?",
      domain,
      limit,
    )
    .map(({ fingerprint, was, state }) => ({
      fingerprint: bytesOf(fingerprint),
      was: was as number,
      state: state as number,
    }));
