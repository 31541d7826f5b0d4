import type { DomainCommit, ShardTable } from "../../src/api/index.ts";
import {
  CANONICALISER_VERSION,
  canonicalLocalPart,
  type DomainKey,
  ENTRY_STATES,
  encodeShard,
  fingerprint,
  sentinels,
  shardOf,
  tailOf,
  toBase64Url,
  toHex,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { Content } from "../model/generation.ts";

/** Packed: what a commit says, and the shards that go before it. */
export interface Packed {
  readonly shards: readonly { readonly id: string; readonly bytes: Uint8Array }[];
  readonly table: ShardTable;
  /** The only shard of a list that needs no others. */
  readonly inline: Uint8Array | null;
}

/** Packs a short list into 2^bits shards, as a publisher would pack one of millions. */
export function pack(content: Content, key: DomainKey, bits: number): Packed {
  const groups: { tail: number; state: number }[][] = Array.from({ length: 2 ** bits }, () => []);
  for (const [name, state] of content.list) {
    const digest = fingerprint(key.names, canonicalLocalPart(name, content.policy));
    (groups[shardOf(digest, bits)] as (typeof groups)[0]).push({
      tail: tailOf(digest),
      state: ENTRY_STATES.indexOf(state),
    });
  }
  const shards = groups.map((group, index) => {
    group.sort((a, b) => a.tail - b.tail);
    const tails = Float64Array.from(group, ({ tail }) => tail);
    const bytes = encodeShard({ tails, states: Uint8Array.from(group, ({ state }) => state) }, bits, index);
    return { id: toHex(stablelibHashing.sha256(bytes)), bytes };
  });
  if (bits > 0) return { shards, table: { bits, ids: shards.map(({ id }) => id) }, inline: null };
  const inline = (shards[0] as (typeof shards)[0]).bytes;
  return { shards: [], table: { bits: 0, inline: toBase64Url(inline) }, inline };
}

/** What a commit says of a domain. */
export const commitOf = (
  key: DomainKey,
  content: Content,
  packed: Packed,
  expect: number | null,
): DomainCommit => ({
  domain: key.domain,
  expect,
  epoch: key.epoch,
  key_id: key.id,
  canonicaliser: CANONICALISER_VERSION,
  sentinels: sentinels(key.names, content.policy),
  policy: content.policy,
  mode: content.mode,
  shards: packed.table,
});
