/**
 * What listings show of a generation, in a row of its own: a manifest holds a whole small list, and those of all domains
 * need more memory than an object has.
 */
import {
  type Counts,
  DirectoryError,
  type GroupNumbers,
  type LeaverGroups,
  listedPatterns,
  type ManifestRecord,
  NO_COUNTS,
  NO_GROUPS,
  patternCount,
  readManifest,
} from "../directory/index.ts";
import { getMeta, setMeta } from "./meta.ts";
import type { RegistryStorage, SqlRow } from "./ports.ts";
import type { HeadSummary } from "./protocol.ts";
import { replace } from "./rows.ts";

/** Manifests that one run reads, one at a time. */
const MANIFESTS = 250;

/** The columns of a summary in a query that names the table `s`; {@link summaryIn} reads them. */
export const SUMMARY_COLUMNS = `s.time, s.mode, s.active, s.disabled, s."full", s.moved, s.departures, s.alias, s.deleted_until, s.epoch, s.key_id, s.bits, s.patterns, s.refuses_from`;

/** What a manifest says, without its list. */
export type Summary = HeadSummary & { readonly departures: number };

/** Keeps the summary of a generation. */
export function keepSummary(storage: RegistryStorage, number: number, manifest: ManifestRecord): void {
  const { domain, time, mode, counts, policy, shards, departures, epoch, canonicaliser } = manifest;
  replace(storage, "summaries", {
    domain,
    number,
    time,
    mode,
    ...counts,
    departures: departures.count,
    alias: policy.alias,
    deleted_until: manifest.deletedUntil,
    epoch,
    key_id: manifest.keyId,
    canonicaliser,
    bits: shards.bits,
    patterns: patternsOf(manifest),
    refuses_from: refusesFromOf(manifest),
    groups: packGroups(departures.groups),
  });
}

/** The grid and the numbers of groups of names that left, as they are stored. */
const packGroups = (groups: LeaverGroups = NO_GROUPS): string | null =>
  groups.groups.length === 0 ? null : [groups.grid, ...groups.groups.map(({ id }) => id)].join(" ");

/** Domains of those that are named in which names left, each with the numbers of their groups. */
export function groupsOf(
  storage: RegistryStorage,
  domains: readonly string[],
): ReadonlyMap<string, GroupNumbers> {
  const rows = storage.sql(
    `SELECT h.domain, s.groups FROM heads h JOIN summaries s ON s.domain = h.domain AND s.number = h.number
     WHERE h.domain IN (SELECT value FROM json_each(?)) AND s.groups IS NOT NULL`,
    JSON.stringify(domains),
  );
  return new Map(
    rows.map(({ domain, groups }) => {
      const [grid = 0, ...ids] = String(groups).split(" ").map(Number);
      return [String(domain), { grid, ids: new Set(ids) }];
    }),
  );
}

/**
 * The summary of a generation.
 * @param row its columns in the table; null if an earlier release made the generation, and its manifest is read
 * @returns {@link UNREADABLE} if that is lost or damaged
 */
export function summaryIn(
  storage: RegistryStorage,
  domain: string,
  generation: number,
  row: SqlRow,
): Summary {
  const { time, mode, alias, deleted_until, epoch, key_id, departures, bits } = row;
  const { active, disabled, full, moved } = row;
  if (mode === null) {
    const manifest = manifestOf(storage, domain, generation);
    if (manifest === null) return { ...UNREADABLE, domain, generation };
    return { ...summaryOf(manifest), departures: manifest.departures.count };
  }
  const counts = { active, disabled, full, moved } as Counts;
  const names_per_shard = namesPerShard(counts, bits as number);
  const known = { domain, generation, time, mode, counts, alias, deleted_until, epoch, key_id, departures };
  // Null: made by an earlier release, which knew no patterns.
  return {
    ...known,
    names_per_shard,
    patterns: row.patterns ?? 0,
    refuses_from: row.refuses_from,
  } as Summary;
}

/** What is said of a generation of which nothing can be read, beside its domain and number. One spoils no other line. */
const UNREADABLE: Omit<Summary, "domain" | "generation"> = {
  time: 0,
  mode: "enforce",
  counts: NO_COUNTS,
  alias: null,
  deleted_until: null,
  epoch: 1,
  key_id: "",
  patterns: null,
  refuses_from: null,
  names_per_shard: null,
  departures: 0,
  fault: "it is lost or damaged in the Registry, and nothing that is said of it here is true",
};

/** What a manifest says of a head. */
export const summaryOf = (manifest: ManifestRecord): HeadSummary => ({
  domain: manifest.domain,
  generation: manifest.generation,
  time: manifest.time,
  mode: manifest.mode,
  counts: manifest.counts,
  alias: manifest.policy.alias,
  deleted_until: manifest.deletedUntil,
  epoch: manifest.epoch,
  key_id: manifest.keyId,
  patterns: patternsOf(manifest),
  refuses_from: refusesFromOf(manifest),
  names_per_shard: namesPerShard(manifest.counts, manifest.shards.bits),
});

/** How many patterns a list has. */
const patternsOf = (manifest: ManifestRecord): number => patternCount(listedPatterns(manifest));

/** When its list-wide grace ends, null if it began without one. */
const refusesFromOf = ({ refusesFrom, time }: ManifestRecord): number | null =>
  refusesFrom > time ? refusesFrom : null;

const namesPerShard = ({ active, disabled, full, moved }: Counts, bits: number): number =>
  Math.ceil((active + disabled + full + moved) / 2 ** bits);

function manifestOf(storage: RegistryStorage, domain: string, number: number): ManifestRecord | null {
  const row = storage.sql(
    "SELECT manifest FROM generations WHERE domain = ? AND number = ?",
    domain,
    number,
  )[0];
  try {
    return row === undefined ? null : readManifest(bytesOf(row.manifest), domain);
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

/**
 * Makes summaries for generations that an earlier release made. It goes through the heads by number, so that later
 * passes look only at what was committed since. Call it inside a transaction.
 * @returns whether there may be more than one run makes
 */
export function fillSummaries(storage: RegistryStorage): boolean {
  const done = getMeta(storage, "summarised") ?? 0;
  if ((getMeta(storage, "number") ?? 0) === done) return false;
  const heads = storage.sql(
    "SELECT domain, number FROM heads WHERE (number, domain) > (?, ?) ORDER BY number, domain LIMIT ?",
    getMeta(storage, "summarising_number") ?? done,
    // After every domain of the number that is done.
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

/** @returns how many summaries it made, at most `most` */
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
    const manifest = manifestOf(storage, domain, number);
    if (manifest !== null) keepSummary(storage, number, manifest);
  }
  return lacking.length;
}

/** SQLite gives each row a buffer of its own, so a view is enough. */
export const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer);
