/**
 * What listings show of a generation, in a row of its own: a manifest holds a whole small list, and those of all domains
 * need more memory than an object has.
 */
import {
  type Counts,
  type GroupNumbers,
  type LeaverGroups,
  listedPatterns,
  type ManifestRecord,
  NO_COUNTS,
  NO_GROUPS,
  patternCount,
} from "../../directory/index.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import type { SaidOfHead } from "../protocol.ts";
import { replace } from "../storage/rows.ts";

/** The columns of a summary in a query that names the table `s`; {@link summaryIn} reads them. */
export const SUMMARY_COLUMNS = `s.time, s.mode, s.active, s.disabled, s."full", s.moved, s.departures, s.alias, s.deleted_until, s.epoch, s.key_id, s.bits, s.patterns, s.refuses_from`;

/** What a manifest says, without its list. `fault`: why nothing can be said. */
export type Summary = SaidOfHead & { readonly departures: number; readonly fault: string | null };

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
 * @param row its columns in the table
 * @returns {@link UNREADABLE} if the row is lost
 */
export function summaryIn(domain: string, generation: number, row: SqlRow): Summary {
  const { time, mode, alias, deleted_until, epoch, key_id, departures, bits, patterns, refuses_from } = row;
  if (mode === null) return { ...UNREADABLE, domain, generation };
  const { active, disabled, full, moved } = row;
  const counts = { active, disabled, full, moved } as Counts;
  const names_per_shard = namesPerShard(counts, bits as number);
  const said = { time, mode, alias, deleted_until, epoch, key_id, departures, patterns, refuses_from };
  return { ...said, domain, generation, counts, names_per_shard, fault: null } as Summary;
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
export const summaryOf = (manifest: ManifestRecord): SaidOfHead => ({
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
