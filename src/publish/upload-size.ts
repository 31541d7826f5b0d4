import { blobIds } from "../directory/index.ts";
import type { DomainPlan } from "./plan.ts";

/** What publishing plans sends to the edge, and writes to KV. */
export interface UploadSize {
  /** Shards that the edge may lack: those that are not in the head. */
  readonly shards: number;
  /** Octets of these shards, and of lists small enough to be in their manifest. */
  readonly bytes: number;
  /** Writes to Workers KV: each shard, each manifest, and the roster if a domain is new. */
  readonly kvWrites: number;
}

/** Dollars for a million writes to Workers KV. https://developers.cloudflare.com/kv/platform/pricing/ */
export const KV_DOLLARS_PER_MILLION_WRITES = 5;
/** Writes a day on the free plan. */
export const FREE_KV_WRITES_A_DAY = 1_000;

/** The shards of a plan that its head does not have, by their position in the list. */
export function newShards({ base, packed }: Pick<DomainPlan, "base" | "packed">): number[] {
  const known = new Set(base === null ? [] : blobIds(base.list.table));
  return blobIds(packed.table).flatMap((id, index) => (known.has(id) ? [] : [index]));
}

/** What several plans send together. Plans that change nothing send nothing. */
export function uploadSize(plans: readonly DomainPlan[]): UploadSize {
  const changed = plans.filter(({ unchanged }) => !unchanged);
  let shards = 0;
  let bytes = 0;
  for (const plan of changed) {
    const indexes = newShards(plan);
    shards += indexes.length;
    bytes += plan.packed.table.inline?.length ?? 0;
    for (const index of indexes) bytes += plan.packed.shards[index]?.length ?? 0;
  }
  // Each partition has a roster of its own.
  const isNew = ({ base }: DomainPlan): boolean => base === null || base.deleted;
  const rosters = new Set(changed.filter(isNew).map(({ partition }) => partition)).size;
  return { shards, bytes, kvWrites: shards + changed.length + rosters };
}
