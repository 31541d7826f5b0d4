/** What single changes did to each name since the domain's last publish. */
import { type KeptName, type PatchedName, toHex } from "../directory/index.ts";
import { failure } from "./failure.ts";
import type { RegistryStorage } from "./ports.ts";
import { bytesOf } from "./summaries.ts";

/** Names that single changes may change before the list has to be published again. */
export const MAX_PATCHED = 100_000;

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
    const [row] = storage.sql(
      `INSERT INTO patched_names (domain, fingerprint, was, state, number) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET state = excluded.state, number = excluded.number RETURNING was`,
      domain,
      fingerprint,
      was,
      state,
      number,
    );
    if (row?.was !== state) continue;
    storage.sql("DELETE FROM patched_names WHERE domain = ? AND fingerprint = ?", domain, fingerprint);
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

/**
 * Forgets the changes of a domain, since a newer list settles them.
 * @param kept names that the list has only because of single changes: these stay, and from now on they were as the
 * publisher of this list says
 */
export function settlePatches(
  storage: RegistryStorage,
  domain: string,
  kept: readonly KeptName[] = [],
): void {
  const stays = new Map(kept.map(({ fingerprint, listed }) => [toHex(fingerprint), listed]));
  for (const { fingerprint, state } of patchedNames(storage, domain)) {
    const listed = stays.get(toHex(fingerprint)) ?? state;
    if (listed === state) {
      storage.sql("DELETE FROM patched_names WHERE domain = ? AND fingerprint = ?", domain, fingerprint);
    } else {
      storage.sql(
        "UPDATE patched_names SET was = ? WHERE domain = ? AND fingerprint = ?",
        listed,
        domain,
        fingerprint,
      );
    }
  }
}

/** Refuses a list that was made without regard to single changes. @throws RegistryFailure `patched_names` */
export function requireNoPatches(storage: RegistryStorage, domain: string): void {
  const count = storage.sql("SELECT count(*) AS n FROM patched_names WHERE domain = ?", domain)[0]
    ?.n as number;
  if (count === 0) return;
  throw failure(
    "patched_names",
    `${domain}: single changes changed ${count} names since the last publish; plan again with this release, which asks what becomes of them`,
    { domain },
  );
}

/** The changed names of a domain, in the order of their fingerprints. */
export const patchedNames = (storage: RegistryStorage, domain: string): PatchedName[] =>
  storage
    .sql("SELECT fingerprint, was, state FROM patched_names WHERE domain = ? ORDER BY fingerprint", domain)
    .map(({ fingerprint, was, state }) => ({
      fingerprint: bytesOf(fingerprint),
      was: was as number,
      state: state as number,
    }));
