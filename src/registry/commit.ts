/** Makes new generations: commit and deletion. */
import type { CommitRequest, CommitResult, HeadResult } from "../api/index.ts";
import {
  acceptedCount,
  atOnce,
  type Coverage,
  comparable,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  decodeKept,
  emptyShard,
  encodeManifest,
  fromBase64Url,
  type Hashing,
  isSamePatterns,
  isSameTable,
  type KeptName,
  listedPatterns,
  MARKED_FOR,
  type ManifestContent,
  type ManifestRecord,
  type NewDepartures,
  NO_COUNTS,
  NO_COVERAGE,
  NO_DEPARTURES,
  nameChangesIn,
  patternCount,
  patternsAfter,
  readManifest,
} from "../directory/index.ts";
import { writeAudit } from "./audit.ts";
import { computeDepartures, newListOf } from "./compute-departures.ts";
import { badRequest, Damage, failure, type RegistryFailure, readRequest } from "./failure.ts";
import { changesTo, coverageOf, type GuardContext, isComparable, judge, knownChanges } from "./guard.ts";
import { noteHeld, requireNoneHeld } from "./held-names.ts";
import { liftAccepted } from "./journal.ts";
import { isGranted, noteKeyUsed } from "./key-grants.ts";
import { refusesFromOf } from "./list-grace.ts";
import { getMeta, nextNumber, setMeta } from "./meta.ts";
import { areOpen, endPatches, requireNoPatches, settlePatches } from "./patched-names.ts";
import type { PlanContext } from "./plan.ts";
import { naming } from "./reach.ts";
import { type CommitMeta, liveManifest } from "./records.ts";
import { requireRoom } from "./room.ts";
import {
  type Draft,
  type KeyFor,
  requireAliasRules,
  requireNumber,
  requireShards,
  validateCommit,
} from "./validate-commit.ts";

/** A deleted domain is deferred this long before it is not served. */
const DELETION_GRACE = 86_400_000;

const EMPTY_SHARD = emptyShard();

/** What making generations takes. */
export interface CommitContext extends PlanContext {
  readonly hashing: Hashing;
  readonly keyFor: KeyFor;
}

/**
 * Commits many domains under one new number. Call it inside a transaction: where it throws, all of it must be rolled
 * back.
 * @throws RegistryFailure `conflict`, `missing_shards`, `forbidden`, `guard` or `bad_request`
 */
export function commit(context: CommitContext, request: CommitRequest, by: string): CommitResult {
  const { storage, records, keyFor, reach } = context;
  const isKeyOf = (domain: string, epoch: number): boolean => isGranted(storage, domain, epoch, by);
  const validate = { records, keyFor, reach, isGranted: isKeyOf };
  const drafts = request.domains.map((each) => validateCommit(validate, each));
  requireShards(drafts);
  const kept = request.domains.map((each, i) => keptBy(context, each, drafts[i] as Draft));
  const changed = drafts.filter((draft) => !isUnchanged(draft));
  for (const { domain, head, unnamed = [] } of drafts.filter((draft) => !changed.includes(draft))) {
    if (unnamed.length > 0) records.nameAgain(domain, unnamed, head?.number as number);
  }
  for (const { domain } of changed) requireRoom(context.storage, domain, context.now);
  const forced = request.force === true;
  const meta: CommitMeta = { action: "commit", by, forced, note: request.note ?? null };
  const number = changed.length === 0 ? 0 : commitDrafts(context, changed, meta);
  drafts.forEach((draft, i) => {
    const isMade = changed.includes(draft);
    settlePatches(storage, draft.domain, isMade ? number : (draft.head?.number as number), kept[i] ?? []);
    if (isMade) liftNames(context, draft);
  });
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

/** The names that a commit has only because of single changes. @throws RegistryFailure `patched_names` or `bad_request` */
function keptBy(
  { storage }: GuardContext,
  { domain, patched_kept: kept }: CommitRequest["domains"][number],
  { head, policy, key }: Draft,
): readonly KeptName[] {
  if (kept === undefined) {
    requireNoPatches(storage, domain);
    return [];
  }
  const names = readRequest(domain, () => decodeKept(fromBase64Url(kept)));
  const isComparableToHead = head !== null && isComparable(head.manifest, { policy, keyId: key.id });
  // Of a list that was deleted, only removals with `--now` are left.
  const isOpen = liveManifest(head) !== null || areOpen(storage, domain, names);
  if (names.length === 0 || (isComparableToHead && isOpen)) return names;
  throw badRequest(domain, "names of single changes cannot be kept under another key or spelling");
}

/** Whom a new list accepts is not removed with `--now` any more. */
export function liftNames(
  { storage, records }: CommitContext,
  { domain, head, policy, key, shards }: Draft,
): void {
  const list = { domain, keyId: key.id, policy, shards };
  const before = liveManifest(head);
  const shardsBefore = before !== null && comparable(before, list) ? before.shards : null;
  atOnce(liftAccepted(storage, records, list, shardsBefore));
}

/**
 * Makes drafts the heads of their domains, under one new number: the way of every generation that has a list.
 * @param isOverride whether the guard has no say
 * @returns the number
 * @throws RegistryFailure `forbidden`, `bad_request` or `guard`
 */
export function commitDrafts(
  context: CommitContext,
  drafts: readonly Draft[],
  meta: CommitMeta,
  isOverride = meta.forced,
): number {
  for (const draft of drafts) requireAliasRules(context, draft, drafts);
  const number = nextNumber(context.storage);
  requireGuard(context, drafts, number, isOverride);
  for (const draft of drafts) putDraft(context, draft, number, meta);
  return number;
}

/**
 * Ends a domain: a tombstone, deferred for a day and then not served.
 * @throws RegistryFailure `not_found`, `conflict` or `bad_request`
 */
export function remove(context: CommitContext, domain: string, expect: number, by: string): HeadResult {
  const { storage, records, keyFor, now, reach } = context;
  const standing = records.standing(domain);
  if (!standing?.isServed) throw failure("not_found", `${domain} has no list to delete`, { domain });
  requireNumber(domain, standing.number, expect);
  // The head's own, unless that is damaged.
  const last = records.lastList(domain)?.manifest;
  const aliases = records.aliasesOf(domain);
  if (aliases.length > 0) {
    throw failure("bad_request", `${domain} answers for ${naming(reach, aliases)}; delete those first`, {
      domain,
    });
  }
  const number = nextNumber(storage);
  const { policy, mode, epoch } = last ?? { policy: DEFAULT_POLICY, mode: "enforce", epoch: 1 };
  const content: ManifestContent = {
    ...identity(context, domain, number),
    mode,
    policy,
    counts: NO_COUNTS,
    deletedUntil: now + DELETION_GRACE,
    refusesFrom: 0,
    shards: { bits: 0, inline: EMPTY_SHARD, ids: new Uint8Array(0) },
    departures: NO_DEPARTURES,
    patterns: null,
  };
  put(context, content, keyFor(domain, epoch), { action: "delete", by, forced: true, note: null });
  endPatches(storage, domain, number);
  return { domain, generation: number };
}

/** Whether a draft is what its head already says. */
function isUnchanged({ head, key, mode, policy, shards, patterns }: Draft): boolean {
  const before = liveManifest(head);
  return (
    before !== null &&
    before.keyId === key.id &&
    before.mode === mode &&
    isSamePolicy(before.policy, policy) &&
    isSameTable(before.shards, shards) &&
    isSamePatterns(listedPatterns(before), patterns)
  );
}

const isSamePolicy = (a: DomainPolicy, b: DomainPolicy): boolean =>
  (Object.keys(DEFAULT_POLICY) as (keyof DomainPolicy)[]).every((name) => a[name] === b[name]);

function requireGuard(
  context: GuardContext,
  drafts: readonly Draft[],
  number: number,
  forced: boolean,
): void {
  const refused = drafts.flatMap((draft) => {
    const refusal = guard(context, draft, number, forced);
    return refusal === null ? [] : [[draft.domain, refusal] as const];
  });
  if (refused.length > 0) throw guardFailure(refused);
}

/** @param refused domains, at least one, each with the reason */
export function guardFailure(refused: readonly (readonly [string, string])[]): RegistryFailure {
  const [[domain, why]] = refused as [readonly [string, string]];
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : "";
  return failure("guard", `${domain} ${why}${others}; force overrides`, {
    // fromEntries defines properties and does not assign them: `__proto__` is a domain like any other.
    refusals: Object.fromEntries(refused),
  });
}

/** Why the guard refuses a draft, or null. */
function guard(context: GuardContext, draft: Draft, number: number, forced: boolean): string | null {
  const { domain, head, policy, counts, key, shards, patterns, known } = draft;
  const changesFrom =
    known === undefined
      ? changesTo(context.records, domain, shards, (newest) => coverageFor(draft, newest))
      : (newest: ManifestRecord) =>
          knownChanges(nameChangesIn(known.compare, coverageFor(draft, newest)))(newest);
  const accepted = acceptedCount(counts);
  const successor = { domain, head, policy, accepted, patterns, keyId: key.id, changesFrom };
  return judge(context, successor, number, forced);
}

/** Behind a deletion nobody looks what the last list accepted by other entries: its list-wide grace is for everybody. */
const coverageFor = ({ head, covered }: Draft, before: ManifestRecord): Coverage =>
  liveManifest(head) === null ? NO_COVERAGE : coverageOf(before, covered);

/** Puts a draft as the generation of a number, with the departures that follow from it. */
function putDraft(context: CommitContext, draft: Draft, number: number, meta: CommitMeta): void {
  const { records, storage, now } = context;
  const { domain, head, mode, policy, counts, shards, key } = draft;
  const left = records.lastList(domain)?.manifest ?? null;
  // Names that leave with the commit that lowers the grace were accepted under the longer one.
  const grace = Math.max(policy.grace, left?.policy.grace ?? 0);
  const before = left !== null && isComparable(left, { policy, keyId: key.id }) ? left : null;
  if ((before === null || policy.alias !== null) && liveManifest(head) !== null)
    requireNoneHeld(storage, domain);
  const departures = departuresOf(context, draft, before, grace, meta.forced);
  const { held, last } = departures ?? NO_DEPARTURES;
  const marks = { marked: MARKED_FOR, isHeld: held > 0, last };
  // Of a list that follows none, nobody left.
  const patterns = patternsAfter(
    before?.patterns ?? null,
    draft.patterns,
    now,
    before === null ? 0 : grace,
    marks,
  );
  // Who left a list that is damaged is not known.
  const isLost = departures === null || (head === null && records.standing(domain) !== null);
  const refusesFrom = refusesFromOf(context, { head, keyId: key.id, policy, isLost }, left);
  const made = { mode, policy, counts, deletedUntil: null, refusesFrom, shards, patterns };
  noteKeyUsed(storage, head, domain, key.epoch);
  const content = { ...identity(context, domain, number), ...made, departures: departures ?? NO_DEPARTURES };
  put(context, content, key, meta);
  noteHeld(storage, domain, held);
}

/** With an override, a list that lost parts of it can be replaced; who left it is not known then. */
function departuresOf(
  { records, storage, hashing, now }: CommitContext,
  draft: Draft,
  before: ManifestRecord | null,
  grace: number,
  forced: boolean,
): NewDepartures | null {
  const { domain, shards, patterns, known } = draft;
  const after = known ?? { ...newListOf(records, domain, shards), patterns };
  try {
    const coverage = before === null ? NO_COVERAGE : coverageFor(draft, before);
    const accepted = acceptedCount(draft.counts);
    return computeDepartures(records, hashing, before, after, { now, grace, accepted, coverage });
  } catch (error) {
    if (!(forced && error instanceof Damage)) throw error;
    if (known?.brake !== "release") requireNoneHeld(storage, domain);
    return null;
  }
}

const identity = (
  { storage, now }: GuardContext,
  domain: string,
  generation: number,
): Pick<ManifestContent, "domain" | "origin" | "incarnation" | "generation" | "time"> => ({
  domain,
  origin: "registry",
  incarnation: getMeta(storage, "incarnation") as number,
  generation,
  time: now,
});

/** Makes a generation the head of its domain. */
function put(context: CommitContext, content: ManifestContent, key: DomainKey, meta: CommitMeta): void {
  const { records, storage, now } = context;
  const { domain, generation } = content;
  const manifest = readManifest(encodeManifest(content, key), domain);
  const wasServed = records.standing(domain)?.isServed === true;
  // The roster lists who is served, and is written early where that changes.
  if (wasServed !== (content.deletedUntil === null)) setMeta(storage, "roster_due", generation);
  records.putHead(manifest, meta, now);
  writeAudit(storage, now, meta.action, meta.by, domain, describe(manifest, meta));
}

function describe(manifest: ManifestRecord, { forced, note }: CommitMeta): string {
  const { generation, counts } = manifest;
  const { active, disabled, full, moved } = counts;
  const table = listedPatterns(manifest);
  const patterns = table === null ? "" : `, patterns ${patternCount(table)}`;
  const states = `active ${active}, disabled ${disabled}, full ${full}, moved ${moved}${patterns}`;
  return `generation ${generation}: ${states}${forced ? "; override" : ""}${note === null ? "" : `; ${note}`}`;
}
