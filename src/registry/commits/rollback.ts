/** Makes an old list the head again, with the single changes that were open then. */
import type { HeadResult, RollbackPlan, RollbackRequest } from "../../api/index.ts";
import {
  atOnce,
  blobIds,
  type DomainKey,
  isKnownCanonicaliser,
  isSameTable,
  listedPatterns,
  type ManifestRecord,
  milderMode,
  type Steps,
  shardOf,
  tailOf,
  toHex,
  UNLISTED,
} from "../../directory/index.ts";
import {
  dropSince,
  isForgotten,
  type JournalRow,
  MAX_JOURNAL,
  settledSince,
  spellingOf,
} from "../changes/journal.ts";
import { stateIn } from "../changes/net-changes.ts";
import { openRows, reopenPatches } from "../changes/patched-names.ts";
import { listedIn, rebuildShards } from "../changes/rebuild-shards.ts";
import { failure } from "../failure.ts";
import { refusesFromOf } from "../names/list-grace.ts";
import { countLostGraces, type LostGraces } from "../names/lost-graces.ts";
import { requireReach } from "../reach.ts";
import { type CommitContext, commitJudged, liftNames } from "./commit.ts";
import type { StepwiseCommit } from "./commit-in-steps.ts";
import { type JudgedDraft, judgeDrafts } from "./judge-drafts.ts";
import { type Draft, requireNumber } from "./validate-commit.ts";

/** A name that a list has, and that was removed with `--now` since. */
interface RemovedAgain extends JournalRow {
  /** Its state in that list. */
  readonly listed: number;
}

/** What becomes of single changes with a rollback. */
interface RolledChanges {
  /** Those that were open in that generation: its list has them. */
  readonly reopened: readonly JournalRow[];
  /** Names that were removed with `--now` since, and are removed from that list again. */
  readonly again: readonly RemovedAgain[];
  /** Open changes that end, since they were made later. */
  readonly ended: readonly JournalRow[];
  /** Names that were removed with `--now` since, and cannot be removed from that list: its fingerprints are other ones. */
  readonly strange: number;
  /** Whether the journal does not reach back so far. */
  readonly isForgotten: boolean;
}

/** An old list that may be the head again. */
interface Restorable {
  readonly draft: Draft;
  readonly changes: RolledChanges;
}

/** The same, judged by the present head. */
interface JudgedRollback extends Restorable {
  readonly judged: readonly JudgedDraft[];
  /** Until when it has to be made, Unix milliseconds. */
  readonly until: number;
}

/**
 * Makes an old generation's content the head again, under a new number. A rollback always overrides the guard.
 * All of it throws RegistryFailure `not_found`, `conflict`, `forbidden`, `patched_names` or `bad_request`.
 */
export const rollbackOf = (
  domain: string,
  request: RollbackRequest,
  by: string,
): StepwiseCommit<CommitContext, JudgedRollback, HeadResult> => ({
  domains: [domain],
  octets: 0,
  *judge(context, within) {
    const restorable = yield* restore(context, domain, request);
    const judging = { forced: true, isOverride: true, within };
    const judged = yield* judgeDrafts(context, [restorable.draft], judging);
    return { ...restorable, judged, until: context.now + within };
  },
  check(context) {
    requireRestorable(context, domain, request);
  },
  again(context, { draft, judged, until }) {
    const restorable = atOnce(restore(context, domain, request));
    // Names may have been removed with `--now` since, without a new head.
    const isSame =
      restorable.draft.head?.number === draft.head?.number &&
      isSameTable(restorable.draft.shards, draft.shards);
    return context.now > until || !isSame ? null : { ...restorable, judged, until };
  },
  make(context, { draft, changes, judged }) {
    const { to, note, patched } = request;
    const words = note ?? inWords(to, changes);
    const generation = commitJudged(context, judged, { action: "rollback", by, forced: true, note: words });
    reopenPatches(context.storage, domain, generation, [...changes.reopened, ...changes.again]);
    if (patched === "drop") dropSince(context.storage, domain, to);
    liftNames(context, draft);
    return { domain, generation };
  },
});

/** The list to restore, and its key. @throws RegistryFailure if it cannot be the head again */
function requireRestorable(
  context: CommitContext,
  domain: string,
  { to, expect }: RollbackRequest,
): { readonly manifest: ManifestRecord; readonly key: DomainKey } {
  const { records, keyFor } = context;
  const standing = records.standing(domain);
  if (standing === null) throw failure("not_found", `${domain} has no generation`, { domain });
  requireNumber(domain, standing.number, expect);
  const manifest = listToRestore(context, domain, to);
  const key = keyFor(domain, manifest.epoch);
  if (key.id !== manifest.keyId || !isKnownCanonicaliser(manifest.canonicaliser)) {
    throw failure(
      "bad_request",
      `generation ${to} of ${domain} was made under another master key or canonicaliser: publish the list again`,
      { domain },
    );
  }
  const lost = records.blobs.sum(domain, blobIds(manifest.shards), manifest.shards.bits).missing;
  if (lost.length > 0) {
    throw failure("not_found", `${lost.length} shards of generation ${to} are no longer kept`, { domain });
  }
  return { manifest, key };
}

function* restore(context: CommitContext, domain: string, request: RollbackRequest): Steps<Restorable> {
  const { records } = context;
  const { to, patched = "keep" } = request;
  const { manifest, key } = requireRestorable(context, domain, request);
  const changes = yield* rolledChanges(context, manifest, patched);
  requireDecision(domain, to, changes, patched);
  const { shards, counts } = yield* removedAgain(context, manifest, changes);
  const draft: Draft = {
    domain,
    // A damaged head can be replaced, and nothing is taken from it.
    head: records.soundHead(domain),
    key,
    policy: manifest.policy,
    // The list of a person who chose a milder mode since may not refuse again. After a deletion the last list's mode counts.
    mode: milderMode(manifest.mode, (records.lastList(domain)?.manifest ?? manifest).mode),
    shards,
    counts,
    patterns: listedPatterns(manifest),
    missing: [],
    covered: null,
  };
  return { draft, changes };
}

/**
 * What would become of single changes and of graces. Changes nothing.
 * @throws RegistryFailure `not_found`, `forbidden` or `bad_request`
 */
export function planRollback(context: CommitContext, domain: string, to: number): RollbackPlan {
  const standing = context.records.standing(domain);
  if (standing === null) throw failure("not_found", `${domain} has no generation`, { domain });
  const target = listToRestore(context, domain, to);
  requireReach(context.reach, domain, target.policy);
  const changes = atOnce(rolledChanges(context, target, "keep"));
  const { reopened, again, ended, strange, isForgotten: forgotten } = changes;
  const left = context.records.lastList(domain)?.manifest ?? null;
  const coming = { head: context.records.soundHead(domain), keyId: target.keyId, policy: target.policy };
  const refusesFrom = refusesFromOf(context, { ...coming, isLost: false }, left);
  const lost = left === null ? NOTHING_LOST : countLostGraces(context, coming, left);
  const added = reopened.filter(({ was, state }) => was === UNLISTED && state !== UNLISTED).length;
  const removed = reopened.filter(({ state }) => state === UNLISTED).length;
  return {
    domain,
    generation: standing.number,
    to,
    reopened: { added, removed, changed: reopened.length - added - removed },
    refused_again: again.length,
    ended: ended.length,
    unknown: strange,
    forgotten,
    refuses_from: refusesFrom > context.now ? refusesFrom : null,
    lost_graces: lost.early,
    unwatched: lost.unwatched,
  };
}

const NOTHING_LOST: LostGraces = { early: 0, unwatched: 0 };

/** A list of a domain's history. @throws RegistryFailure `not_found` or `bad_request` */
function listToRestore({ records }: CommitContext, domain: string, to: number): ManifestRecord {
  const target = records.generation(domain, to);
  if (target === null) {
    throw failure("not_found", `${domain} has no generation ${to} in its history`, { domain });
  }
  if (target.manifest.deletedUntil === null) return target.manifest;
  throw failure("bad_request", `generation ${to} of ${domain} is a deletion; use delete`, { domain });
}

/** What becomes of single changes if a list is the head again. @param patched `drop`: no name is removed again */
function* rolledChanges(
  { storage, records }: CommitContext,
  target: ManifestRecord,
  patched: RollbackRequest["patched"],
): Steps<RolledChanges> {
  const { domain, generation: to, policy } = target;
  const open = openRows(storage, domain);
  const settled = settledSince(storage, domain, to);
  const then = [...open, ...settled].filter(({ number }) => number <= to);
  const removed = [...open.filter((row) => row.atOnce !== null), ...settled.filter((row) => row.isInForce)];
  // Who was refused so in that generation is so again.
  const isRefused = new Set(then.flatMap((row) => (row.atOnce === null ? [] : [toHex(row.fingerprint)])));
  const since = removed.filter(
    ({ number, fingerprint }) => number > to && !isRefused.has(toHex(fingerprint)),
  );
  // Whether somebody was hired again under another spelling since is not known.
  const present = records.soundHead(domain) ?? records.lastList(domain);
  const isStrange = present !== null && spellingOf(present.manifest) !== spellingOf(target);
  const fitting = since.filter(({ atOnce: spelling }) => !isStrange && spelling === spellingOf(target));
  const again = patched === "drop" || policy.alias !== null ? [] : fitting;
  const byName = new Map(then.map((row) => [toHex(row.fingerprint), row]));
  const prints = again.map(({ fingerprint }) => fingerprint);
  const listed = yield* listedIn(records, target, prints);
  const isAgain = new Set(again.map(({ fingerprint }) => toHex(fingerprint)));
  const reopened = then.filter(({ fingerprint }) => !isAgain.has(toHex(fingerprint)));
  return {
    reopened,
    again: again.map((row) => {
      const state = stateIn(listed, row.fingerprint, target.shards.bits);
      return { ...row, listed: state, was: byName.get(toHex(row.fingerprint))?.was ?? state };
    }),
    ended: open.filter(({ fingerprint }) => {
      const name = toHex(fingerprint);
      return !isAgain.has(name) && !byName.has(name);
    }),
    strange: since.length - fitting.length,
    isForgotten: isForgotten(storage, domain, to),
  };
}

/** @throws RegistryFailure `patched_names` if it is not known who was removed with `--now`, and nobody decided about that */
function requireDecision(
  domain: string,
  to: number,
  { strange, isForgotten: lacksSome }: RolledChanges,
  patched: RollbackRequest["patched"],
): void {
  if (patched === "drop" || (strange === 0 && !lacksSome)) return;
  const what = lacksSome
    ? `the single changes that were open in generation ${to} are forgotten, since more than ${MAX_JOURNAL} came later`
    : `${strange} names were removed with --now since generation ${to}, and cannot be removed from its list, which is under another key, case or dots setting`;
  throw failure("patched_names", `${domain}: ${what}: say that these changes are dropped`, { domain });
}

/** A list without the names that were removed since. */
function removedAgain(
  context: CommitContext,
  target: ManifestRecord,
  { again }: RolledChanges,
): Steps<Pick<Draft, "shards" | "counts">> {
  const { bits } = target.shards;
  const changes = again
    .filter(({ listed, state }) => listed !== state)
    .map(({ fingerprint, state }) => ({
      shard: shardOf(fingerprint, bits),
      tail: tailOf(fingerprint),
      state,
    }));
  return rebuildShards(context, target, changes);
}

/** What the history says of a rollback. */
function inWords(to: number, { reopened, again }: RolledChanges): string {
  const open = reopened.length === 0 ? "" : `; single changes open again: ${reopened.length}`;
  return `to generation ${to}${open}${again.length === 0 ? "" : `; removals made again: ${again.length}`}`;
}
