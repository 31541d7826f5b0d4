import type { DomainCommit, ShardTable } from "../src/api/contract.ts";
import {
  blobIds,
  CANONICALISER_VERSION,
  canonicalLocalPart,
  type DomainKey,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  sentinels,
  toBase64Url,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import { EntryColumns } from "../src/publish/entries.ts";
import { type PackedList, packList } from "../src/publish/pack.ts";

/** Local parts, active where no state is said. */
export type List = readonly (string | readonly [local: string, state: EntryState])[];

/** Packs a list as a publisher does; into 2^bits shards, where that is given. */
export function pack(
  list: List,
  key: DomainKey,
  policy: DomainPolicy,
  bitsInUse?: number,
  bits?: number,
): PackedList {
  const entries = new EntryColumns();
  list.forEach((entry, line) => {
    const [local, state] = typeof entry === "string" ? [entry, "active" as const] : entry;
    const digest = fingerprint(key.names, canonicalLocalPart(local, policy));
    entries.add(digest, ENTRY_STATES.indexOf(state), line);
  });
  return packList(entries, stablelibHashing, { bitsInUse, bits });
}

/** What a commit says of a domain, under the policy that results. */
export function commitOf(
  { table }: PackedList,
  key: DomainKey,
  policy: DomainPolicy,
  said: Pick<DomainCommit, "expect"> & Partial<Pick<DomainCommit, "policy" | "mode">>,
): DomainCommit {
  const shards: ShardTable =
    table.inline === null
      ? { bits: table.bits, ids: blobIds(table) }
      : { bits: 0, inline: toBase64Url(table.inline) };
  return {
    domain: key.domain,
    epoch: key.epoch,
    key_id: key.id,
    canonicaliser: CANONICALISER_VERSION,
    sentinels: sentinels(key.names, policy),
    shards,
    ...said,
  };
}

/** Made-up local parts: `u0`, `u1`, ... */
export const people = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `u${from + i}`);
