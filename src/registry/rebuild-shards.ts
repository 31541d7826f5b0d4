/** Rebuilds the shards of a list that single changes are in. The number of shards stays: a shard has tails only. */
import {
  type BlobTable,
  blobId,
  type Counts,
  changedShard,
  changesByShard,
  decodeShard,
  fromHex,
  ID_BYTES,
  type ManifestRecord,
  type PlacedChange,
  recount,
  SHARD_ENTRIES,
  toHex,
} from "../directory/index.ts";
import type { CommitContext } from "./commit.ts";
import type { Records } from "./records.ts";

/** An inline shard with more entries becomes a blob: readers fetch the manifest with each change, a blob only once. */
const INLINE_ENTRIES = 2 * SHARD_ENTRIES;

/** Bytes of shard `index` of a list. @throws Damage */
export const shardBytes = (records: Records, { domain, shards }: ManifestRecord, index: number): Uint8Array =>
  shards.inline ?? records.blob(domain, blobId(shards, index));

/**
 * The list of a manifest after changes, its new shards kept for the commit that names them. One shard at a time is in
 * memory.
 * @param pause called before each shard
 */
export async function rebuildShards(
  { records, hashing, now }: CommitContext,
  manifest: ManifestRecord,
  changes: readonly PlacedChange[],
  pause: () => Promise<void>,
): Promise<{ readonly shards: BlobTable; readonly counts: Counts }> {
  const { domain } = manifest;
  let { counts, shards } = manifest;
  if (shards.inline === null) shards = { ...shards, ids: shards.ids.slice() };
  for (const [index, states] of changesByShard(changes)) {
    await pause();
    const before = shardBytes(records, manifest, index);
    const after = changedShard(before, states);
    counts = recount(counts, before, after);
    if (shards.inline !== null && decodeShard(after).count <= INLINE_ENTRIES) {
      shards = { ...shards, inline: after };
      continue;
    }
    const id = toHex(hashing.sha256(after));
    records.putNextShard(domain, id, after, now);
    if (shards.inline !== null) shards = { bits: 0, inline: null, ids: new Uint8Array(ID_BYTES) };
    shards.ids.set(fromHex(id), index * ID_BYTES);
  }
  return { shards, counts };
}
