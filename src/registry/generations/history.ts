/** Generations that have outlived history, and tombstones. */
import { manifestKey } from "../../directory/index.ts";
import { deleteKey } from "../kv/keys.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "../storage/meta.ts";

/** What one run deleted: the domains, and whether there may be more. */
export interface Deleted {
  readonly domains: ReadonlySet<string>;
  readonly isMore: boolean;
}

/** Deletes generations that were superseded before a time. @param most rows of one run */
export function pruneGenerations(storage: RegistryStorage, before: number, most: number): Deleted {
  const rows = storage.sql(
    `DELETE FROM generations WHERE (domain, number) IN
       (SELECT domain, number FROM generations WHERE superseded < ? LIMIT ?) RETURNING domain`,
    before,
    most,
  );
  return { domains: new Set(rows.map(({ domain }) => domain as string)), isMore: rows.length === most };
}

/**
 * Deletes tombstones from before a time. Isolates that know less than a deleted one get the whole list of heads.
 * @param most rows of one run
 */
export function pruneTombstones(storage: RegistryStorage, before: number, most: number): Deleted {
  const rows = storage.sql(
    "SELECT domain, number FROM heads WHERE deleted IS NOT NULL AND deleted < ? LIMIT ?",
    before,
    most,
  ) as { domain: string; number: number }[];
  for (const { domain, number } of rows) {
    setMeta(storage, "purged", Math.max(getMeta(storage, "purged") ?? 0, number));
    storage.sql("DELETE FROM heads WHERE domain = ?", domain);
    storage.sql("DELETE FROM generations WHERE domain = ?", domain);
    deleteKey(storage, manifestKey(domain));
  }
  return { domains: new Set(rows.map(({ domain }) => domain)), isMore: rows.length === most };
}
