import type { CommitRequest, CommitResult, HeadResult, RollbackRequest } from "../api/contract.ts";
import {
  acceptedCount,
  blobIds,
  CANONICALISER_VERSION,
  type DomainKey,
  encodeManifest,
  encodeShard,
  type Hashing,
  type ManifestContent,
  type ManifestRecord,
  NO_COUNTS,
  NO_DEPARTURES,
  readManifest,
} from "../directory/index.ts";
import { departuresAfter, listOf } from "./compute-departures.ts";
import { failure } from "./failure.ts";
import { changesTo, isComparable, judge } from "./guard.ts";
import type { RegistryStorage } from "./ports.ts";
import type { Making, Records } from "./records.ts";
import { getMeta, setMeta } from "./schema.ts";
import { type Draft, draftOf, isUnchanged, requireHead } from "./validate-commit.ts";

const DAY = 86_400_000;

/** A deleted domain is deferred this long before it is not served. */
const DELETION_GRACE = DAY;

/** What the making of generations needs. */
export interface CommitContext {
  readonly storage: RegistryStorage;
  readonly records: Records;
  readonly hashing: Hashing;
  readonly keyFor: (domain: string, epoch: number) => DomainKey;
  /** Milliseconds that superseded generations stay in history. */
  readonly history: number;
  readonly now: number;
}

/**
 * Commits many domains under one new number. To be called inside a transaction: where it throws, nothing of it
 * may hold.
 * @throws RegistryFailure `conflict`, `missing_shards`, `guard` or `bad_request`
 */
export function commit(context: CommitContext, request: CommitRequest, by: string): CommitResult {
  const { records, keyFor } = context;
  const drafts = request.domains.map((each) => draftOf(records, keyFor, each));
  requireShards(drafts);
  const changed = drafts.filter((draft) => !isUnchanged(draft));
  for (const draft of changed) requireAliasRules(records, draft, drafts);
  const forced = request.force === true;
  const making: Making = { action: "commit", by, forced, note: request.note ?? null };
  const number = changed.length === 0 ? 0 : nextNumber(context.storage);
  requireGuard(context, changed, number, forced);
  for (const draft of changed) succeed(context, draft, number, making);
  return {
    generations: Object.fromEntries(
      drafts.map((draft) => [
        draft.domain,
        changed.includes(draft) ? number : (draft.head?.number as number),
      ]),
    ),
    unchanged: drafts.filter((draft) => !changed.includes(draft)).map((draft) => draft.domain),
  };
}

/**
 * Makes an old generation's content the head again, under a new number. An override by its nature.
 * @throws RegistryFailure `not_found`, `conflict` or `bad_request`
 */
export function rollback(
  context: CommitContext,
  domain: string,
  request: RollbackRequest,
  by: string,
): HeadResult {
  const { records, keyFor } = context;
  const head = records.head(domain);
  if (head === null) throw failure("not_found", `${domain} has no generation`, { domain });
  requireHead(domain, head, request.expect);
  const target = records.generation(domain, request.to);
  if (target === null)
    throw failure("not_found", `${domain} has no generation ${request.to} in its history`, { domain });
  if (target.manifest.deletedUntil !== null) {
    throw failure("bad_request", `generation ${request.to} of ${domain} is a deletion; use delete`, {
      domain,
    });
  }
  const { manifest } = target;
  const { policy, mode, shards, counts } = manifest;
  const key = keyFor(domain, manifest.epoch);
  if (key.id !== manifest.keyId || manifest.canonicaliser !== CANONICALISER_VERSION) {
    throw failure(
      "bad_request",
      `generation ${request.to} of ${domain} was made under another master key or canonicaliser: publish the list anew`,
      {
        domain,
      },
    );
  }
  const lost = shards.inline === null ? records.sum(domain, blobIds(shards), shards.bits).missing : [];
  if (lost.length > 0) {
    throw failure("not_found", `${lost.length} shards of generation ${request.to} are no longer kept`, {
      domain,
    });
  }
  const draft: Draft = { domain, head, key, policy, mode, shards, counts, missing: [] };
  requireAliasRules(records, draft, [draft]);
  const number = nextNumber(context.storage);
  guard(context, draft, number, true);
  const note = request.note ?? `to generation ${request.to}`;
  succeed(context, draft, number, { action: "rollback", by, forced: true, note });
  return { domain, generation: number };
}

/**
 * Ends a domain: a tombstone, deferred for a day and then not served.
 * @throws RegistryFailure `not_found`, `conflict` or `bad_request`
 */
export function remove(context: CommitContext, domain: string, expect: number, by: string): HeadResult {
  const { records, keyFor, now } = context;
  const head = records.head(domain);
  if (head === null || head.manifest.deletedUntil !== null) {
    throw failure("not_found", `${domain} has no list to delete`, { domain });
  }
  requireHead(domain, head, expect);
  const aliases = records.aliasesOf(domain);
  if (aliases.length > 0) {
    throw failure("bad_request", `${domain} answers for ${aliases.join(", ")}; delete those first`, {
      domain,
    });
  }
  const number = nextNumber(context.storage);
  const { policy, mode, epoch } = head.manifest;
  const content: ManifestContent = {
    ...numbered(context, domain, number),
    mode,
    policy,
    counts: NO_COUNTS,
    deletedUntil: now + DELETION_GRACE,
    shards: { bits: 0, inline: EMPTY_SHARD, ids: new Uint8Array(0) },
    departures: NO_DEPARTURES,
  };
  const making: Making = { action: "delete", by, forced: true, note: null };
  put(context, content, keyFor(domain, epoch), making);
  return { domain, generation: number };
}

const EMPTY_SHARD = encodeShard({ tails: new Float64Array(0), states: new Uint8Array(0) }, 0, 0);

/** The next number of the log: allocated inside the transaction that uses it. */
export function nextNumber(storage: RegistryStorage): number {
  const number = (getMeta(storage, "number") ?? 0) + 1;
  setMeta(storage, "number", number);
  return number;
}

function requireShards(drafts: readonly Draft[]): void {
  const lacking = drafts.filter((draft) => draft.missing.length > 0);
  if (lacking.length === 0) return;
  const missing = Object.fromEntries(lacking.map((draft) => [draft.domain, draft.missing]));
  throw failure("missing_shards", "put the missing shards and commit again", { missing });
}

/** An alias and its target must be confirmed at one number, so both live here, one step apart. */
function requireAliasRules(records: Records, draft: Draft, drafts: readonly Draft[]): void {
  const { domain } = draft;
  const target = draft.policy.alias;
  if (target === null) return;
  const bad = (message: string): Error => failure("bad_request", `${domain}: ${message}`, { domain });
  if (target === domain) throw bad("is an alias of itself");
  const beside = drafts.find((other) => other.domain === target);
  const present = records.head(target)?.manifest;
  const live = present?.deletedUntil === null ? present : undefined;
  const policy = beside?.policy ?? live?.policy;
  if (policy === undefined) throw bad(`is an alias of ${target}, which is not served here`);
  if (policy.alias !== null) throw bad(`is an alias of ${target}, which is an alias itself`);
  const aliases = records.aliasesOf(domain).filter((alias) => alias !== domain);
  if (aliases.length > 0) throw bad(`answers for ${aliases.join(", ")} and cannot be an alias`);
}

function requireGuard(
  context: CommitContext,
  drafts: readonly Draft[],
  number: number,
  forced: boolean,
): void {
  const refused = drafts.flatMap((draft) => {
    const refusal = guard(context, draft, number, forced);
    return refusal === null ? [] : [[draft.domain, refusal] as const];
  });
  const [first] = refused;
  if (first === undefined) return;
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : "";
  throw failure("guard", `${first[0]} ${first[1]}${others}; force overrides`, {
    // By definition of properties and not by assignment: `__proto__` is a domain like any other.
    refusals: Object.fromEntries(refused),
  });
}

/** Why the guard refuses a draft, or null. */
function guard(context: CommitContext, draft: Draft, number: number, forced: boolean): string | null {
  const { domain, head, policy, counts, key, shards } = draft;
  const changesFrom = changesTo(context.records, domain, shards);
  const accepted = acceptedCount(counts);
  return judge(context, { domain, head, policy, accepted, keyId: key.id, changesFrom }, number, forced);
}

/** The generation of `draft` under `number`, with the departures that follow from it. */
function succeed(context: CommitContext, draft: Draft, number: number, making: Making): void {
  const { records, hashing, now } = context;
  const { domain } = draft;
  const left = records.lastList(domain)?.manifest ?? null;
  const { policy, key } = draft;
  const before = left !== null && isComparable(left, { policy, keyId: key.id }) ? left : null;
  const content: ManifestContent = {
    ...numbered(context, domain, number),
    mode: draft.mode,
    policy: draft.policy,
    counts: draft.counts,
    deletedUntil: null,
    shards: draft.shards,
    departures: departuresAfter(
      records,
      hashing,
      before,
      listOf(records, domain, draft.shards),
      now,
      draft.policy.grace,
    ),
  };
  put(context, content, draft.key, making);
}

const numbered = (
  context: CommitContext,
  domain: string,
  generation: number,
): Pick<ManifestContent, "domain" | "origin" | "incarnation" | "generation" | "time"> => ({
  domain,
  origin: "registry",
  incarnation: getMeta(context.storage, "incarnation") as number,
  generation,
  time: context.now,
});

function put(context: CommitContext, content: ManifestContent, key: DomainKey, making: Making): void {
  const { records, storage, now, history } = context;
  const manifest = readManifest(encodeManifest(content, key), content.domain);
  const head = records.head(content.domain);
  const wasServed = head !== null && head.manifest.deletedUntil === null;
  if (wasServed !== (content.deletedUntil === null)) setMeta(storage, "roster_due", content.generation);
  records.succeed(content.domain, manifest, making, now, history);
  record(storage, now, making.action, making.by, content.domain, describe(manifest, making));
}

function describe(manifest: ManifestRecord, making: Making): string {
  const { active, disabled, full, moved } = manifest.counts;
  const counts = `active ${active}, disabled ${disabled}, full ${full}, moved ${moved}`;
  const forced = making.forced ? "; override" : "";
  return `generation ${manifest.generation}: ${counts}${forced}${making.note === null ? "" : `; ${making.note}`}`;
}

/** Writes a line of the audit trail. */
export function record(
  storage: RegistryStorage,
  time: number,
  action: string,
  by: string,
  subject: string,
  detail: string | null,
): void {
  storage.sql(
    "INSERT INTO audit (time, action, made_by, subject, detail) VALUES (?, ?, ?, ?, ?)",
    time,
    action,
    by,
    subject,
    detail,
  );
}
