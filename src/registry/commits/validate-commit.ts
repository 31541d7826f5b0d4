/** What a commit may be: each check of a request against the domain's head and the shards that were put. */
import type { DomainCommit, ShardTable } from "../../api/index.ts";
import {
  acceptedCount,
  type BlobTable,
  type Counts,
  canonicaliserOf,
  concatBytes,
  countStates,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  decodePatterns,
  decodeShard,
  decodeTails,
  equalBytes,
  fromBase64Url,
  fromHex,
  type Hashing,
  isContentId,
  MAX_SHARD_BITS,
  type Mode,
  readPolicy,
  sentinels,
  toALabel,
} from "../../directory/index.ts";
import { badRequest, failure, readRequest } from "../failure.ts";
import { type Head, liveManifest, type Records } from "../generations/records.ts";
import type { KnownChanges } from "../names/compute-departures.ts";
import type { Reach } from "../protocol.ts";
import { covers, naming, requireReach } from "../reach.ts";

/** What a domain becomes by a commit, checked, before it has a number. */
export interface Draft {
  readonly domain: string;
  readonly head: Head | null;
  readonly key: DomainKey;
  readonly policy: DomainPolicy;
  readonly mode: Mode;
  readonly shards: BlobTable;
  readonly counts: Counts;
  /** The table of patterns, null if there are none. */
  readonly patterns: Uint8Array | null;
  /** Shards that the commit names and that were not put. */
  readonly missing: readonly string[];
  /** Shards that the head does not name; left out if there are none. */
  readonly unnamed?: readonly string[];
  /** Tails of names that it refuses, and that the head accepts without listing them; null: nobody says, so that all may be. */
  readonly covered: ReadonlySet<number> | null;
  /** How the list differs from the head's; left out if the two have to be compared. */
  readonly known?: KnownChanges;
}

/** What checking a commit takes. */
export interface ValidateContext {
  readonly records: Records;
  readonly keyFor: KeyFor;
  readonly reach: Reach;
  /** Whether the actor was given the key of a later epoch. */
  isGranted(domain: string, epoch: number): boolean;
}

/** Derives a domain's key of an epoch. */
export type KeyFor = (domain: string, epoch: number) => DomainKey;

/**
 * Checks one domain's part of a commit against the head that it was planned against.
 * @throws RegistryFailure `conflict` or `bad_request`
 */
export function validateCommit(context: ValidateContext, commit: DomainCommit): Draft {
  const { records } = context;
  const { domain } = commit;
  if (toALabel(domain) !== domain) throw badRequest(domain, "not a domain in lower-case A-labels");
  // Before what the head says: who does not cover the target learns nothing else.
  requireReach(context.reach, domain, commit.policy ?? {});
  const head = records.head(domain);
  requireHead(domain, head, commit.expect);
  const policy = policyAfter(domain, head, commit.policy);
  const mode = commit.mode ?? head?.manifest.mode ?? "enforce";
  const key = requireKey(context, commit, head);
  const patterns = patternsIn(commit);
  if (!hasSentinels(commit.sentinels, key, policy, patterns !== null)) {
    throw badRequest(
      domain,
      "its sentinels differ: key, canonicaliser or policy are not those of the edge; plan again",
    );
  }
  const { table, counts, missing, unnamed } = readRequest(domain, () =>
    readShards(records, domain, commit.shards),
  );
  const isEmpty = acceptedCount(counts) + counts.disabled + counts.moved === 0 && patterns === null;
  if (policy.alias !== null && !isEmpty) {
    throw badRequest(domain, "an alias has no list of its own");
  }
  const covered = commit.covered === undefined ? null : readRequest(domain, () => tailsIn(commit.covered));
  return { domain, head, key, policy, mode, shards: table, counts, patterns, missing, unnamed, covered };
}

const tailsIn = (text = ""): ReadonlySet<number> => new Set(decodeTails(fromBase64Url(text)));

/**
 * The table of patterns in a commit or a plan, which has to be made under the canonicaliser that it needs.
 * @throws RegistryFailure `bad_request`
 */
export function patternsIn({
  domain,
  canonicaliser,
  patterns,
}: Pick<DomainCommit, "domain" | "canonicaliser" | "patterns">): Uint8Array | null {
  const table = patterns === undefined ? null : readRequest(domain, () => fromBase64Url(patterns));
  const needed = canonicaliserOf(table);
  if (canonicaliser !== needed) {
    throw badRequest(
      domain,
      `made under canonicaliser ${canonicaliser}, the edge has ${needed} for it; use the same release`,
    );
  }
  if (table !== null) readRequest(domain, () => decodePatterns(table));
  return table;
}

/** Whether these are the sentinels under a key and a policy: proof that both sides canonicalise alike. */
export const hasSentinels = (
  sent: readonly string[],
  key: DomainKey,
  policy: DomainPolicy,
  hasPatterns = false,
): boolean => JSON.stringify(sent) === JSON.stringify(sentinels(key.names, policy, hasPatterns));

/** Refuses single changes of an alias. @throws RegistryFailure `bad_request` */
export function requireNoAlias(reach: Reach, domain: string, alias: string | null): void {
  if (alias === null) return;
  const target = covers(reach, alias) ? alias : "that domain";
  throw badRequest(domain, `is an alias of ${naming(reach, [alias])}: change the mailboxes of ${target}`);
}

/** Refuses a change that was planned against another head than the present one. @throws RegistryFailure */
export function requireHead(domain: string, head: Head | null, expect: number | null): void {
  // A tombstone ends a domain: the first commit of a new start need not know of it.
  if (expect === null && head?.manifest.deletedUntil != null) return;
  requireNumber(domain, head?.number ?? null, expect);
}

/** The same by the head's number alone. @throws RegistryFailure `conflict` */
export function requireNumber(domain: string, present: number | null, expect: number | null): void {
  if (expect === present) return;
  throw failure(
    "conflict",
    `${domain}: planned against generation ${expect ?? "none"}, the head is ${present ?? "none"}`,
    { domain, head: present },
  );
}

/** @throws RegistryFailure `missing_shards` */
export function requireShards(drafts: readonly Draft[]): void {
  const lacking = drafts.filter((draft) => draft.missing.length > 0);
  if (lacking.length === 0) return;
  const missing = Object.fromEntries(lacking.map((draft) => [draft.domain, draft.missing]));
  throw failure("missing_shards", "upload the missing shards and commit again", { missing });
}

/**
 * Checks the rules of aliases. An alias and its target must be confirmed at one number, so both live in one Registry,
 * one step apart.
 * @param drafts all that the commit changes
 * @throws RegistryFailure `forbidden` or `bad_request`
 */
export function requireAliasRules(
  { records, reach }: { readonly records: Records; readonly reach: Reach },
  draft: Draft,
  drafts: readonly Draft[],
): void {
  const {
    domain,
    policy: { alias: target },
  } = draft;
  requireReach(reach, domain, draft.policy);
  if (target === null) return;
  if (target === domain) throw badRequest(domain, "is an alias of itself");
  const beside = drafts.find((other) => other.domain === target);
  const policy = beside?.policy ?? liveManifest(records.head(target))?.policy;
  if (policy === undefined) throw badRequest(domain, `is an alias of ${target}, which is not served here`);
  if (policy.alias !== null) throw badRequest(domain, `is an alias of ${target}, which is an alias itself`);
  const aliases = records.aliasesOf(domain);
  if (aliases.length > 0)
    throw badRequest(domain, `answers for ${naming(reach, aliases)} and cannot be an alias`);
}

/** Checks the bytes of a shard that is put. @throws RegistryFailure `bad_request` */
export function requireShard(hashing: Hashing, domain: string, id: string, bytes: Uint8Array): void {
  if (!isContentId(id) || !equalBytes(hashing.sha256(bytes), fromHex(id))) {
    throw failure("bad_request", `the bytes are not those of shard ${id}: it is named by its SHA-256`, {
      domain,
    });
  }
  readRequest(domain, () => decodeShard(bytes));
}

/**
 * The policy after a change of settings: over the head's, or over the defaults where the domain is new. A deletion ends a
 * list, not what a person decided about the domain: its tombstone keeps policy and mode.
 */
export const policyAfter = (
  domain: string,
  head: Head | null,
  settings: Partial<DomainPolicy> | undefined,
): DomainPolicy => ({
  ...(head?.manifest.policy ?? DEFAULT_POLICY),
  ...readRequest(domain, () => readPolicy(settings ?? {})),
});

function requireKey(
  { keyFor, isGranted }: ValidateContext,
  { domain, epoch, key_id }: DomainCommit,
  head: Head | null,
): DomainKey {
  const present = head?.manifest.epoch ?? 1;
  if (epoch !== present && !(head !== null && epoch > present && isGranted(domain, epoch))) {
    const message = `epoch ${epoch} is neither the present one, ${present}, nor one whose key this token was given`;
    throw badRequest(domain, message);
  }
  const key = keyFor(domain, epoch);
  if (key_id !== key.id) {
    throw badRequest(
      domain,
      `made under key ${key_id}, the edge has ${key.id} for it: fetch the key again, pack the list under it, and plan again, as another \`rollcall publish\` does`,
    );
  }
  return key;
}

interface ReadShards {
  readonly table: BlobTable;
  readonly counts: Counts;
  readonly missing: readonly string[];
  readonly unnamed: readonly string[];
}

function readShards(records: Records, domain: string, shards: ShardTable): ReadShards {
  if ("inline" in shards) {
    const inline = fromBase64Url(shards.inline);
    const shard = decodeShard(inline);
    if (shard.bits !== 0) throw badRequest(domain, "an inline shard must be the only one");
    const [active, disabled, full, moved] = countStates(shard);
    const table = { bits: 0, inline, ids: new Uint8Array(0) };
    return { table, counts: { active, disabled, full, moved }, missing: [], unnamed: [] };
  }
  const { bits, ids } = shards;
  if (bits > MAX_SHARD_BITS || ids.length !== 2 ** bits || !ids.every(isContentId)) {
    throw badRequest(domain, `its table of shards is not 2^${bits} content ids`);
  }
  const { counts, missing, misfit, unnamed } = records.blobs.sum(domain, ids, bits);
  if (misfit !== null) throw badRequest(domain, `shard ${misfit} was packed for another place in the table`);
  return { table: { bits, inline: null, ids: concatBytes(ids.map(fromHex)) }, counts, missing, unnamed };
}
