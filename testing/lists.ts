import type { DomainCommit } from "../src/api/index.ts";
import {
  canonicalLocalPart,
  type DomainKey,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  isPattern,
  listedName,
} from "../src/directory/index.ts";
import { stablelibHashing } from "../src/directory/stablelib.ts";
import { commitOf as commitOfParts } from "../src/publish/commit-body.ts";
import { EntryColumns } from "../src/publish/entries.ts";
import { type PackedList, type PackOptions, packList } from "../src/publish/pack.ts";

/** Local parts and patterns as a list has them, active if no state is said. */
export type List = readonly (string | readonly [local: string, state: EntryState])[];

/** Packs a list as a publisher does; lines count from 1. */
export function pack(
  list: List,
  key: DomainKey,
  policy: DomainPolicy,
  options: PackOptions = {},
): PackedList {
  const entries = new EntryColumns();
  const patterns = new EntryColumns();
  list.forEach((entry, index) => {
    const [local, state] = typeof entry === "string" ? [entry, "active" as const] : entry;
    const listed = local.includes("*") ? listedName(`${local}@${key.domain}`, key.domain, policy) : null;
    const name = listed ?? canonicalLocalPart(local, policy);
    if (typeof name !== "string") throw new RangeError(`${local}: ${name.fault}`);
    const columns = isPattern(name) ? patterns : entries;
    columns.add(fingerprint(key.names, name), ENTRY_STATES.indexOf(state), index + 1);
  });
  return packList(entries, stablelibHashing, { ...options, patterns });
}

/** What a commit says of a domain, under the policy that results. */
export const commitOf = (
  packed: PackedList,
  key: DomainKey,
  resultingPolicy: DomainPolicy,
  { mode, ...said }: Pick<DomainCommit, "expect"> & Partial<Pick<DomainCommit, "policy" | "mode">>,
  covered: ReadonlySet<number> | null = new Set(),
): DomainCommit =>
  commitOfParts({ policy: {}, ...said, key, resultingPolicy, resultingMode: mode, packed, covered });

/** Made-up local parts: `u0`, `u1`, ... */
export const people = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `u${from + i}`);
