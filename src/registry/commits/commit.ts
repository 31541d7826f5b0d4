/** Makes new generations: commit and deletion. */
import type { CommitRequest, CommitResult, HeadResult } from "../../api/index.ts";
import {
  atOnce,
  comparable,
  DEFAULT_POLICY,
  type DomainKey,
  type DomainPolicy,
  decodeKept,
  emptyShard,
  encodeManifest,
  fromBase64Url,
  isSamePatterns,
  isSameTable,
  type KeptName,
  listedPatterns,
  MARKED_FOR,
  type ManifestContent,
  type ManifestRecord,
  NO_COUNTS,
  NO_DEPARTURES,
  patternCount,
  patternsAfter,
  readManifest,
  type Steps,
} from "../../directory/index.ts";
import { requireRoom } from "../blobs/room.ts";
import { liftAccepted } from "../changes/journal.ts";
import { areOpen, endPatches, requireNoPatches, settlePatches } from "../changes/patched-names.ts";
import { badRequest, failure, readRequest } from "../failure.ts";
import { type CommitMeta, liveManifest } from "../generations/records.ts";
import { writeAudit } from "../log/audit.ts";
import { isGranted, noteKeyUsed } from "../log/key-grants.ts";
import { type GuardContext, isComparable } from "../names/guard.ts";
import { noteHeld } from "../names/held-names.ts";
import { refusesFromOf } from "../names/list-grace.ts";
import { naming } from "../reach.ts";
import { getMeta, nextNumber, setMeta } from "../storage/meta.ts";
import type { StepwiseCommit } from "./commit-in-steps.ts";
import { type JudgeContext, type JudgedDraft, judgeDrafts } from "./judge-drafts.ts";
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
export interface CommitContext extends JudgeContext {
  readonly keyFor: KeyFor;
}

/** A commit of many domains, as a change that is judged before it is made. */
export const commitOf = (
  request: CommitRequest,
  by: string,
): StepwiseCommit<CommitContext, JudgedCommit, CommitResult> => ({
  domains: request.domains.map(({ domain }) => domain),
  octets: request.domains.reduce((sum, { covered = "" }) => sum + covered.length, 0),
  judge: (context, within) => judgeCommit(context, request, by, within),
  check: (context) => void checkCommit(context, request, by),
  again: (context, judged) => checkAgain(context, request, by, judged),
  make: (context, judged) => commit(context, request, by, judged),
});

/** A request that may be committed, if the guard lets it. */
interface CheckedCommit {
  readonly drafts: readonly Draft[];
  /** Those that are not what their heads say already. */
  readonly changed: readonly Draft[];
  /** Of each draft, the names that it has only because of single changes. */
  readonly kept: readonly (readonly KeptName[])[];
}

/** A request that was judged, and is committed if nothing that it was judged by has changed. */
export interface JudgedCommit extends CheckedCommit {
  readonly judged: readonly JudgedDraft[];
  /** Until when it has to be committed, Unix milliseconds. */
  readonly until: number;
}

/**
 * Judges a commit of many domains step by step, before its transaction.
 * @param within milliseconds after now within which it will be committed
 * @throws RegistryFailure `conflict`, `missing_shards`, `forbidden`, `guard` or `bad_request`
 */
export function* judgeCommit(
  context: CommitContext,
  request: CommitRequest,
  by: string,
  within: number,
): Steps<JudgedCommit> {
  const checked = checkCommit(context, request, by);
  const forced = request.force === true;
  const judging = { forced, isOverride: forced, within };
  const judged = yield* judgeDrafts(context, checked.changed, judging);
  return { ...checked, judged, until: context.now + within };
}

/** The same commit, checked again: others may have had their turn. @returns null if it has to be judged again @throws as {@link judgeCommit} */
function checkAgain(
  context: CommitContext,
  request: CommitRequest,
  by: string,
  { judged, until }: JudgedCommit,
): JudgedCommit | null {
  const checked = checkCommit(context, request, by);
  const { changed } = checked;
  const isJudged = (draft: Draft, i: number): boolean =>
    judged[i]?.draft.domain === draft.domain && judged[i].draft.head?.number === draft.head?.number;
  if (context.now > until || changed.length !== judged.length || !changed.every(isJudged)) return null;
  return { ...checked, judged, until };
}

/** Checks a request against the heads that there are. @throws RegistryFailure `conflict`, `missing_shards`, `forbidden` or `bad_request` */
function checkCommit(context: CommitContext, request: CommitRequest, by: string): CheckedCommit {
  const { storage, records, keyFor, reach } = context;
  const isKeyOf = (domain: string, epoch: number): boolean => isGranted(storage, domain, epoch, by);
  const validate = { records, keyFor, reach, isGranted: isKeyOf };
  const drafts = request.domains.map((each) => validateCommit(validate, each));
  requireShards(drafts);
  const kept = request.domains.map((each, i) => keptBy(context, each, drafts[i] as Draft));
  const changed = drafts.filter((draft) => !isUnchanged(draft));
  for (const { domain } of changed) requireRoom(storage, domain, context.now);
  return { drafts, changed, kept };
}

/**
 * Commits many domains under one new number, as they were judged. Call it inside a transaction: where it throws, all of it
 * must be rolled back.
 * @throws RegistryFailure `forbidden` or `bad_request`
 */
export function commit(
  context: CommitContext,
  request: CommitRequest,
  by: string,
  { drafts, changed, kept, judged }: JudgedCommit,
): CommitResult {
  const { storage, records } = context;
  for (const { domain, head, unnamed = [] } of drafts.filter((draft) => !changed.includes(draft))) {
    if (unnamed.length > 0) records.nameAgain(domain, unnamed, head?.number as number);
  }
  const forced = request.force === true;
  const meta: CommitMeta = { action: "commit", by, forced, note: request.note ?? null };
  const number = changed.length === 0 ? 0 : commitJudged(context, judged, meta);
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
  const judging = { forced: meta.forced, isOverride, within: 0 };
  return commitJudged(context, atOnce(judgeDrafts(context, drafts, judging)), meta);
}

/** The same for drafts that were judged by the heads that their domains have. @throws RegistryFailure `forbidden` or `bad_request` */
export function commitJudged(
  context: CommitContext,
  judged: readonly JudgedDraft[],
  meta: CommitMeta,
): number {
  const drafts = judged.map(({ draft }) => draft);
  // Heads of other domains may have changed since.
  for (const draft of drafts) requireAliasRules(context, draft, drafts);
  const number = nextNumber(context.storage);
  for (const each of judged) putDraft(context, each, number, meta);
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

/** Puts a draft as the generation of a number, with the departures that follow from it. */
function putDraft(
  context: CommitContext,
  { draft, keep, left, before, grace, departures }: JudgedDraft,
  number: number,
  meta: CommitMeta,
): void {
  const { records, storage, now } = context;
  const { domain, head, mode, policy, counts, shards, key } = draft;
  keep(number, now);
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

const identity = (
  { storage, now }: GuardContext,
  domain: string,
  generation: number,
): Pick<ManifestContent, "domain" | "incarnation" | "generation" | "time"> => ({
  domain,
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
