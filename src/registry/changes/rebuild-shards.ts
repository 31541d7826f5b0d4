/** Rebuilds the shards of a list that single changes are in. The number of shards stays: a shard has tails only. */
import {
  type BlobTable,
  blobId,
  type Counts,
  changedShard,
  changesByShard,
  decodeShard,
  findEntry,
  fromHex,
  type Hashing,
  ID_BYTES,
  type ManifestRecord,
  type PlacedChange,
  recount,
  SHARD_ENTRIES,
  type Steps,
  shardOf,
  tailOf,
  toHex,
} from "../../directory/index.ts";
import type { Records } from "../generations/records.ts";
import { type Listed, placeOf } from "./net-changes.ts";

/** An inline shard with more entries becomes a blob: readers fetch the manifest with each change, a blob only once. */
const INLINE_ENTRIES = 2 * SHARD_ENTRIES;

/** Bytes of shard `index` of a list. @throws Damage */
const shardBytes = (records: Records, domain: string, shards: BlobTable, index: number): Uint8Array =>
  shards.inline ?? records.blob(domain, blobId(shards, index));

/** Looks names up in a list, shard by shard. @returns what it has of each, by its place @throws Damage */
export function* listedIn(
  records: Records,
  { domain, shards }: { readonly domain: string; readonly shards: BlobTable },
  prints: readonly Uint8Array[],
): Steps<ReadonlyMap<string, Listed>> {
  const wanted = new Map<number, Uint8Array[]>();
  for (const print of prints) {
    const index = shardOf(print, shards.bits);
    const group = wanted.get(index) ?? [];
    group.push(print);
    wanted.set(index, group);
  }
  const listed = new Map<string, Listed>();
  for (const [index, group] of wanted) {
    yield 1;
    const shard = decodeShard(shardBytes(records, domain, shards, index));
    for (const print of group) {
      listed.set(placeOf(index, tailOf(print)), { state: findEntry(shard, print), inShard: shard.count });
    }
  }
  return listed;
}

/**
 * The list of a manifest after changes, its new shards kept for the commit that names them. One shard at a time is in
 * memory.
 */
export function* rebuildShards(
  { records, hashing, now }: { readonly records: Records; readonly hashing: Hashing; readonly now: number },
  manifest: Pick<ManifestRecord, "domain" | "counts" | "shards">,
  changes: readonly PlacedChange[],
): Steps<{ readonly shards: BlobTable; readonly counts: Counts }> {
  const { domain } = manifest;
  let { counts, shards } = manifest;
  if (shards.inline === null) shards = { ...shards, ids: shards.ids.slice() };
  for (const [index, states] of changesByShard(changes)) {
    yield 1;
    const before = shardBytes(records, domain, manifest.shards, index);
    const after = changedShard(before, states);
    counts = recount(counts, before, after);
    if (shards.inline !== null && decodeShard(after).count <= INLINE_ENTRIES) {
      shards = { ...shards, inline: after };
      continue;
    }
    const id = toHex(hashing.sha256(after));
    records.blobs.putNextShard(domain, id, after, now);
    if (shards.inline !== null) shards = { bits: 0, inline: null, ids: new Uint8Array(ID_BYTES) };
    shards.ids.set(fromHex(id), index * ID_BYTES);
  }
  return { shards, counts };
}
