/** Exports: domains in KV without the Registry, as `wrangler kv bulk put` writes them. */
import {
  blobIds,
  blobKey,
  type DomainKey,
  encodeManifest,
  encodeRoster,
  KV_ROSTER,
  type ManifestContent,
  manifestKey,
  NO_DEPARTURES,
  rosterMac,
  utf8,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import type { PackedList } from "../src/publish/pack.ts";

/** The keys of an export, shards before the manifest. */
export function exportOf(
  key: DomainKey,
  { table, shards, counts }: PackedList,
  said: Pick<ManifestContent, "generation" | "time" | "policy"> & Partial<ManifestContent>,
): [key: string, value: Uint8Array][] {
  const { domain } = key;
  const content: ManifestContent = {
    domain,
    origin: "kv",
    incarnation: 0,
    mode: "enforce",
    counts,
    deletedUntil: null,
    refusesFrom: 0,
    shards: table,
    departures: NO_DEPARTURES,
    patterns: null,
    ...said,
  };
  return [
    ...blobIds(table).map((id, i): [string, Uint8Array] => [blobKey(domain, id), shards[i] as Uint8Array]),
    [manifestKey(domain), encodeManifest(content, key)],
  ];
}

/** The roster of exported domains, with the generation of each. */
export function exportRoster(
  masterKey: Uint8Array,
  heads: Readonly<Record<string, number>>,
  heartbeat: number,
): Uint8Array {
  const asOf = Math.max(...Object.values(heads));
  const roster = { partition: KV_ROSTER, partitions: 1, incarnation: 0, asOf, heartbeat, heads, revoked: [] };
  return utf8(encodeRoster(roster, rosterMac(stablelibHashing, masterKey)));
}
