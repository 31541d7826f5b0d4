import type { DomainCommit, ShardTable } from "../api/contract.ts";
import {
  acceptedCount,
  type BlobTable,
  CANONICALISER_VERSION,
  type Counts,
  concatBytes,
  countStates,
  DEFAULT_POLICY,
  DirectoryError,
  type DomainKey,
  type DomainPolicy,
  decodeShard,
  fromBase64Url,
  fromHex,
  isContentId,
  isSameTable,
  MAX_SHARD_BITS,
  type Mode,
  readPolicy,
  sentinels,
  toALabel,
} from "../directory/index.ts";
import { failure } from "./failure.ts";
import type { Head, Records } from "./records.ts";

/** What a domain is to become, checked, before it has a number. */
export interface Draft {
  readonly domain: string;
  readonly head: Head | null;
  readonly key: DomainKey;
  readonly policy: DomainPolicy;
  readonly mode: Mode;
  readonly shards: BlobTable;
  readonly counts: Counts;
  /** Shards that the commit names and nobody put. */
  readonly missing: readonly string[];
}

/**
 * Checks one domain's part of a commit against the head that it was planned against.
 * @throws RegistryFailure `conflict` or `bad_request`
 */
export function draftOf(
  records: Records,
  keyFor: (domain: string, epoch: number) => DomainKey,
  commit: DomainCommit,
): Draft {
  const { domain } = commit;
  const bad = (message: string): Error => failure("bad_request", `${domain}: ${message}`, { domain });
  if (toALabel(domain) !== domain) throw bad("not a domain in lower-case A-labels");
  const head = records.head(domain);
  requireHead(domain, head, commit.expect);
  const live = head?.manifest.deletedUntil === null ? head.manifest : null;
  const policy = policyAfter(head, commit.policy, bad);
  const mode = commit.mode ?? live?.mode ?? "enforce";
  const key = keyOf(commit, head, keyFor, bad);
  if (commit.canonicaliser !== CANONICALISER_VERSION) {
    throw bad(
      `made under canonicaliser ${commit.canonicaliser}, the edge has ${CANONICALISER_VERSION}; use the same release`,
    );
  }
  if (JSON.stringify(commit.sentinels) !== JSON.stringify(sentinels(key.names, policy))) {
    throw bad("its sentinels differ: key, canonicaliser or policy are not those of the edge; plan again");
  }
  const { table, counts, missing } = readShards(records, domain, commit.shards, bad);
  if (policy.alias !== null && acceptedCount(counts) + counts.disabled + counts.moved > 0) {
    throw bad("an alias has no list of its own");
  }
  return { domain, head, key, policy, mode, shards: table, counts, missing };
}

/** Refuses a change that was planned against another head than the present one. @throws RegistryFailure */
export function requireHead(domain: string, head: Head | null, expect: number | null): void {
  const present = head?.number ?? null;
  // A tombstone is the end of a domain: whoever begins it anew need not know that it was there before.
  if (expect === present || (expect === null && head?.manifest.deletedUntil != null)) return;
  throw failure(
    "conflict",
    `${domain}: planned against generation ${expect ?? "none"}, the head is ${present ?? "none"}`,
    {
      domain,
      head: present,
    },
  );
}

/** Whether a draft says nothing that its head does not say. */
export function isUnchanged(draft: Draft): boolean {
  const was = draft.head?.manifest;
  return (
    was !== undefined &&
    was.deletedUntil === null &&
    was.keyId === draft.key.id &&
    was.mode === draft.mode &&
    samePolicy(was.policy, draft.policy) &&
    isSameTable(was.shards, draft.shards)
  );
}

const samePolicy = (a: DomainPolicy, b: DomainPolicy): boolean =>
  (Object.keys(DEFAULT_POLICY) as (keyof DomainPolicy)[]).every((name) => a[name] === b[name]);

/** The policy that a change of settings leads to: of a new domain over the defaults, else over the head's. */
export function policyAfter(
  head: Head | null,
  settings: Partial<DomainPolicy> | undefined,
  bad: (message: string) => Error,
): DomainPolicy {
  const before = head?.manifest.deletedUntil === null ? head.manifest.policy : DEFAULT_POLICY;
  try {
    return { ...before, ...readPolicy(settings ?? {}) };
  } catch (error) {
    throw error instanceof DirectoryError ? bad(error.message) : error;
  }
}

function keyOf(
  commit: DomainCommit,
  head: Head | null,
  keyFor: (domain: string, epoch: number) => DomainKey,
  bad: (message: string) => Error,
): DomainKey {
  const present = head?.manifest.epoch ?? 1;
  if (commit.epoch !== present && !(head !== null && commit.epoch === present + 1)) {
    throw bad(`epoch ${commit.epoch} is neither the present one, ${present}, nor the next`);
  }
  const key = keyFor(commit.domain, commit.epoch);
  if (commit.key_id !== key.id) {
    throw bad(
      `made under key ${commit.key_id}, the edge has ${key.id} for it: fetch the key again, pack the list under it, and plan again, as another \`rollcall publish\` does`,
    );
  }
  return key;
}

interface ReadShards {
  readonly table: BlobTable;
  readonly counts: Counts;
  readonly missing: readonly string[];
}

function readShards(
  records: Records,
  domain: string,
  shards: ShardTable,
  bad: (message: string) => Error,
): ReadShards {
  try {
    if ("inline" in shards) {
      const inline = fromBase64Url(shards.inline);
      const shard = decodeShard(inline);
      if (shard.bits !== 0) throw bad("an inline shard must be the only one");
      const [active, disabled, full, moved] = countStates(shard);
      const table = { bits: 0, inline, ids: new Uint8Array(0) };
      return { table, counts: { active, disabled, full, moved }, missing: [] };
    }
    const { bits, ids } = shards;
    if (bits > MAX_SHARD_BITS || ids.length !== 2 ** bits || !ids.every(isContentId)) {
      throw bad(`its table of shards is not 2^${bits} content ids`);
    }
    const { counts, missing, misfit } = records.sum(domain, ids, bits);
    if (misfit !== null) throw bad(`shard ${misfit} was packed for another place in the table`);
    return { table: { bits, inline: null, ids: concatBytes(ids.map(fromHex)) }, counts, missing };
  } catch (error) {
    throw error instanceof DirectoryError ? bad(error.message) : error;
  }
}
