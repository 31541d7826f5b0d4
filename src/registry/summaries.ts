/**
 * What listings need of a generation's manifest, in a row of its own: a manifest holds a whole small list, and reading
 * those of all domains at once takes more memory than an object has.
 */
import { type ManifestRecord, readManifest } from "../directory/index.ts";
import { getMeta, setMeta } from "./meta.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";

/** Manifests that one run reads, one after the other. */
const MANIFESTS = 250;

/** The columns of a summary in a query, of the table as `s`; {@link summaryIn} reads them. */
export const SUMMARY_COLUMNS = `s.time, s.mode, s.active, s.disabled, s."full", s.moved, s.departures, s.alias, s.deleted_until, s.epoch, s.key_id`;

/** What a manifest says of itself, without its list. */
export interface Summary
  extends Pick<ManifestRecord, "time" | "mode" | "counts" | "deletedUntil" | "epoch" | "keyId"> {
  readonly departures: number;
  readonly alias: string | null;
}

/** Keeps the summary of a generation. */
export function keepSummary(storage: RegistryStorage, number: number, manifest: ManifestRecord): void {
  const { domain, time, mode, counts, policy, shards, departures } = manifest;
  storage.sql(
    `INSERT OR REPLACE INTO summaries (domain, number, time, mode, active, disabled, "full", moved, departures, alias,
       deleted_until, epoch, key_id, canonicaliser, bits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    domain,
    number,
    time,
    mode,
    counts.active,
    counts.disabled,
    counts.full,
    counts.moved,
    departures.count,
    policy.alias,
    manifest.deletedUntil,
    manifest.epoch,
    manifest.keyId,
    manifest.canonicaliser,
    shards.bits,
  );
}

/** The summary in a row; null where an earlier release made the generation and none was kept yet. */
export function summaryIn(row: SqlRow): Summary | null {
  if (row.mode === null) return null;
  return {
    time: row.time as number,
    mode: row.mode as Summary["mode"],
    counts: {
      active: row.active as number,
      disabled: row.disabled as number,
      full: row.full as number,
      moved: row.moved as number,
    },
    departures: row.departures as number,
    alias: row.alias as string | null,
    deletedUntil: row.deleted_until as number | null,
    epoch: row.epoch as number,
    keyId: row.key_id as string,
  };
}

/** The summary as the manifest itself tells it: for that one generation, since it is read whole. */
export function readSummary(storage: RegistryStorage, domain: string, number: number): Summary {
  const { departures, policy, ...manifest } = manifestOf(storage, domain, number);
  const { time, mode, counts, deletedUntil, epoch, keyId } = manifest;
  const { count } = departures;
  return { time, mode, counts, deletedUntil, epoch, keyId, departures: count, alias: policy.alias };
}

function manifestOf(storage: RegistryStorage, domain: string, number: number): ManifestRecord {
  const row = storage.sql(
    "SELECT manifest FROM generations WHERE domain = ? AND number = ?",
    domain,
    number,
  )[0] as SqlRow;
  return readManifest(bytesOf(row.manifest), domain);
}

/**
 * Keeps summaries of generations that an earlier release made. It goes through the heads by number, so that after the
 * first time it looks at nothing but what was committed since. To be called inside a transaction.
 * @returns whether there may be more than one run takes
 */
export function fillSummaries(storage: RegistryStorage): boolean {
  const done = getMeta(storage, "summarised") ?? 0;
  if ((getMeta(storage, "number") ?? 0) === done) return false;
  const heads = storage.sql(
    "SELECT domain, number FROM heads WHERE (number, domain) > (?, ?) ORDER BY number, domain LIMIT ?",
    getMeta(storage, "summarising_number") ?? done,
    // Behind every domain of the number that is done.
    getMeta(storage, "summarising_domain") ?? "\u{10ffff}",
    MANIFESTS,
  );
  let left = MANIFESTS;
  for (const head of heads) {
    const domain = head.domain as string;
    left -= fillDomain(storage, domain, done, left);
    if (left === 0) return true;
    setMeta(storage, "summarising_number", head.number as number);
    setMeta(storage, "summarising_domain", domain);
  }
  if (heads.length === MANIFESTS) return true;
  setMeta(storage, "summarised", getMeta(storage, "number") as number);
  storage.sql("DELETE FROM meta WHERE name IN ('summarising_number', 'summarising_domain')");
  return false;
}

/** @returns how many were lacking, `most` at most */
function fillDomain(storage: RegistryStorage, domain: string, after: number, most: number): number {
  const lacking = storage.sql(
    `SELECT g.number FROM generations g WHERE g.domain = ? AND g.number > ? AND NOT EXISTS
       (SELECT 1 FROM summaries s WHERE s.domain = g.domain AND s.number = g.number) LIMIT ?`,
    domain,
    after,
    most,
  );
  for (const row of lacking) {
    const number = row.number as number;
    keepSummary(storage, number, manifestOf(storage, domain, number));
  }
  return lacking.length;
}

/** SQLite hands out a fresh buffer for each row; a view of it is enough. */
export const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer);
