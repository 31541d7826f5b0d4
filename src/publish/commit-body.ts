import type { DomainCommit } from "../api/index.ts";
import {
  blobIds,
  canonicaliserOf,
  type DomainKey,
  type DomainPolicy,
  encodeTails,
  type Mode,
  sentinels,
  toBase64Url,
} from "../directory/index.ts";
import type { PackedList } from "./pack.ts";
import { keptIn, type PatchedPlan } from "./patched.ts";

/** The parts of a plan that its commit carries. */
export interface CommitParts {
  readonly key: DomainKey;
  readonly expect: number | null;
  readonly policy: Partial<DomainPolicy>;
  /** Left out: unchanged. */
  readonly resultingMode?: Mode | undefined;
  readonly resultingPolicy: DomainPolicy;
  readonly packed: Pick<PackedList, "table" | "patterns">;
  /** Left out or null if it is not known. */
  readonly covered?: ReadonlySet<number> | null;
  /** Left out or null if the edge does not know of single changes. */
  readonly patched?: PatchedPlan | null;
}

/** A domain in the body of a commit. */
export const commitOf = ({
  key,
  expect,
  policy,
  resultingPolicy,
  resultingMode: mode,
  packed: { table, patterns },
  covered = null,
  patched = null,
}: CommitParts): DomainCommit => ({
  domain: key.domain,
  expect,
  epoch: key.epoch,
  key_id: key.id,
  canonicaliser: canonicaliserOf(patterns),
  sentinels: sentinels(key.names, resultingPolicy, patterns !== null),
  ...(Object.keys(policy).length === 0 ? {} : { policy }),
  ...(mode === undefined ? {} : { mode }),
  shards:
    table.inline === null
      ? { bits: table.bits, ids: blobIds(table) }
      : { bits: 0, inline: toBase64Url(table.inline) },
  ...(patterns === null ? {} : { patterns: toBase64Url(patterns) }),
  ...(covered === null ? {} : { covered: toBase64Url(encodeTails(Float64Array.from(covered).sort())) }),
  ...(patched === null ? {} : { patched_kept: toBase64Url(keptIn(patched)) }),
});
