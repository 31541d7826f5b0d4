/** Changes single mailboxes of a head: rebuilds the shards that have them, and commits the result as any other list. */
import type { PatchResult, RegistryError, Result } from "../../api/index.ts";
import {
  acceptedCount,
  atOnce,
  blobId,
  CANONICALISER_VERSION,
  type Compare,
  type DomainKey,
  decodeDepartures,
  deferredUntil,
  departedUntil,
  departureBlobOf,
  findEntry,
  inSteps,
  isAcceptedState,
  isCovered,
  isKnownCanonicaliser,
  listedPatterns,
  type ManifestRecord,
  NO_STEPS,
  nameChangesIn,
  patternShardOf,
  shardOf,
  tailOf,
  UNLISTED,
} from "../../directory/index.ts";
import type { Timers } from "../../runtime/ports.ts";
import { requireRoom } from "../blobs/room.ts";
import { type Listed, type NetChange, NetChanges, placeOf, stateIn } from "../changes/net-changes.ts";
import { rememberedResult, rememberResult } from "../changes/patch-keys.ts";
import { notePatches } from "../changes/patched-names.ts";
import { listedIn, rebuildShards } from "../changes/rebuild-shards.ts";
import { failure, ok, RegistryFailure } from "../failure.ts";
import { type Head, liveManifest } from "../generations/records.ts";
import { coverageOf, judge, knownChanges } from "../names/guard.ts";
import { type Pause, pauseEvery } from "../pause.ts";
import type { Actor, Changed, MailboxChanges } from "../protocol.ts";
import { getMeta } from "../storage/meta.ts";
import { type CommitContext, commitDrafts } from "./commit.ts";
import { guardFailure } from "./judge-drafts.ts";
import { hasSentinels, requireNoAlias } from "./validate-commit.ts";

/** Shards that are read or rebuilt before questions get their turn: about 50 ms of work. */
const SHARDS_IN_A_ROW = 16;
/** What the guard's judgement of one change of a batch costs, in shards. */
const JUDGEMENT = 4;
/** How often a batch starts again because the head moved while it read or rebuilt shards. */
const TRIES = 4;

/** What making single changes takes. */
export interface PatchHost {
  readonly timers: Timers;
  /** A context of this moment. */
  context(): CommitContext;
  /** Runs a change in a transaction, and sets the alarm that copies it to KV. */
  changed<T>(work: () => T): Changed<T>;
  /** Learns why all changes of a batch failed. */
  failed(failure: RegistryFailure): void;
}

type Outcome = Result<PatchResult>;

/**
 * Makes changes of one domain together. Each is judged as if it were committed alone after those before it; one that is
 * refused leaves the others as they are.
 * @param patches all of one domain, each with a key of its own; one that overrides the guard comes alone
 * @returns an answer for each, in order
 */
export async function patchTogether(
  host: PatchHost,
  patches: readonly MailboxChanges[],
  by: Actor,
): Promise<readonly Result<Changed<PatchResult>>[]> {
  const [{ domain, force: forced }] = patches as [MailboxChanges];
  const pause = pauseEvery(host.timers, SHARDS_IN_A_ROW);
  let error: RegistryError = {
    code: "unavailable",
    message: `${domain}: other changes of the list were made meanwhile; try again`,
    domain,
  };
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const context = host.context();
    try {
      const base = requireList(context, domain);
      requireRoom(context.storage, domain, context.now);
      const { head, manifest } = base;
      const prints = patches.flatMap(printsIn);
      const listed = await inSteps(listedIn(context.records, manifest, prints), pause);
      const covered = coveredIn(manifest, listed, patches);
      const { net, outcomes } = await judgeAll(context, base, listed, covered, patches, pause);
      const changes = net.changed;
      const { shards, counts } = await inSteps(rebuildShards(context, manifest, changes), pause);
      const { result, ...position } = host.changed(() => {
        const now = host.context();
        if (now.records.head(domain)?.number !== head.number) throw new HeadMoved();
        const ended = net.all.filter(({ atOnce }) => atOnce);
        const known = { compare: net.compare, atOnce: new Set(ended.map(({ tail }) => tail)) };
        // Single changes leave patterns as they are.
        const patterns = listedPatterns(manifest);
        const draft = { ...base, ...manifest, shards, counts, patterns, missing: [], covered, known };
        const isChanged = changes.length > 0 || ended.some((name) => isDeferred(now, manifest, name));
        const meta = { action: "patch", by, forced, note: describe(outcomes) } as const;
        const generation = isChanged ? commitDrafts(now, [draft], meta) : head.number;
        notePatches(now.storage, manifest, generation, net.all);
        return outcomes.map((outcome, i) =>
          remember(now, (patches[i] as MailboxChanges).idempotency, generation, outcome),
        );
      });
      return result.map((outcome) => (outcome.ok ? ok({ result: outcome.value, ...position }) : outcome));
    } catch (thrown) {
      if (thrown instanceof HeadMoved) continue;
      if (!(thrown instanceof RegistryFailure)) throw thrown;
      // Of several changes each was judged before, so this is about the domain, or about a single change.
      ({ error } = thrown);
      host.failed(thrown);
      break;
    }
  }
  return patches.map(() => ({ ok: false, error }));
}

/** The head is not the one that a batch was made for. */
class HeadMoved extends Error {}

/** The list that single changes apply to. */
interface PatchBase {
  readonly head: Head;
  readonly manifest: ManifestRecord;
  readonly key: DomainKey;
}

/** @throws RegistryFailure `not_found` or `bad_request` */
function requireList({ records, keyFor, reach }: CommitContext, domain: string): PatchBase {
  const head = records.head(domain);
  const manifest = liveManifest(head);
  if (head === null || manifest === null) {
    throw failure("not_found", `${domain} has no list: publish one first`, { domain });
  }
  requireNoAlias(reach, domain, manifest.policy.alias);
  return { head, manifest, key: keyFor(domain, manifest.epoch) };
}

/** The names of single changes that are looked up in the head: those that change, and what else may accept them. */
const printsIn = ({ changes, otherwise = [] }: MailboxChanges): Uint8Array[] => [
  ...changes.map(([print]) => print),
  ...otherwise.flatMap((ways) =>
    (ways?.entries ?? []).flatMap(({ print, isPattern }) => (isPattern ? [] : [print])),
  ),
];

/** Tails of names that a batch lists as disabled or moved, and that the head accepts without listing them. */
function coveredIn(
  manifest: ManifestRecord,
  listed: ReadonlyMap<string, Listed>,
  patches: readonly MailboxChanges[],
): ReadonlySet<number> {
  const { bits } = manifest.shards;
  const patterns = patternShardOf(listedPatterns(manifest));
  const stateOf = (print: Uint8Array): number => stateIn(listed, print, bits);
  const covered = new Set<number>();
  for (const { changes, otherwise } of patches) {
    changes.forEach(([print, state], i) => {
      if (state === UNLISTED || isAcceptedState(state) || stateOf(print) !== UNLISTED) return;
      const ways = otherwise?.[i];
      // An edge that does not say how it may be accepted: in doubt it is.
      const isSo =
        ways == null ||
        isCovered(ways, manifest.departures.count > 0, (entry) =>
          entry.isPattern ? findEntry(patterns, entry.print) : stateOf(entry.print),
        );
      if (isSo) covered.add(tailOf(print));
    });
  }
  return covered;
}

/** Judges each change of a batch after those before it. @returns the names that the accepted ones change */
async function judgeAll(
  context: CommitContext,
  base: PatchBase,
  listed: ReadonlyMap<string, Listed>,
  covered: ReadonlySet<number>,
  patches: readonly MailboxChanges[],
  pause: Pause,
): Promise<{ readonly net: NetChanges; readonly outcomes: readonly Outcome[] }> {
  const { domain, shards } = base.manifest;
  const isEachJudged =
    patches.length > 1 && refusalOf(context, base, worstOf(base, listed, patches), covered) !== null;
  const net = new NetChanges(domain, shards.bits, listed, coverageOf(base.manifest, covered));
  const outcomes: Outcome[] = [];
  for (const patch of patches) {
    await pause(isEachJudged ? JUDGEMENT : 1);
    try {
      outcomes.push(ok(judgeNext(context, base, net, patch, isEachJudged ? covered : null)));
    } catch (error) {
      if (!(error instanceof RegistryFailure)) throw error;
      outcomes.push({ ok: false, error: error.error });
    }
  }
  return { net, outcomes };
}

/**
 * All names go that any change of a batch refuses. If the guard allows that, each change is allowed; a single one is judged when
 * it is committed.
 */
const worstOf =
  (
    { manifest: { shards } }: PatchBase,
    listed: ReadonlyMap<string, Listed>,
    patches: readonly MailboxChanges[],
  ): Compare =>
  (visit) => {
    const seen = new Set<string>();
    for (const [print, state] of patches.flatMap(({ changes }) => changes)) {
      const place = placeOf(shardOf(print, shards.bits), tailOf(print));
      const { state: was } = listed.get(place) as Listed;
      const is = was === UNLISTED ? state : UNLISTED;
      if (isAcceptedState(state) || was === is || seen.has(place)) continue;
      seen.add(place);
      visit(tailOf(print), was, is);
    }
    return NO_STEPS;
  };

/**
 * @param covered as in a draft; null: the change need not be judged
 * @throws RegistryFailure if the change is refused; `net` is then as before
 */
function judgeNext(
  context: CommitContext,
  base: PatchBase,
  net: NetChanges,
  patch: MailboxChanges,
  covered: ReadonlySet<number> | null,
): PatchResult {
  const { domain, idempotency } = patch;
  const known = idempotency && rememberedResult(context.storage, domain, idempotency, context.now);
  if (known) return known;
  requireSpelling(base, patch);
  const unlisted = net.requireListed(patch);
  const { counts, defers, undo } = net.apply(patch.changes, patch.atOnce);
  const refusal = covered === null ? null : refusalOf(context, base, net.compare, covered);
  if (refusal === null) {
    const { grace } = base.manifest.policy;
    const until = Math.max(deferredUntil(context.now, grace, true) * 1000, base.manifest.refusesFrom);
    return {
      domain,
      generation: 0,
      ...counts,
      ...(unlisted.length === 0 ? {} : { unlisted }),
      ...(defers && grace > 0 ? { refused_from: until } : {}),
    };
  }
  undo();
  throw guardFailure([[domain, refusal]]);
}

/** @throws RegistryFailure `conflict` if changes were made under another key, policy or canonicaliser than the head */
function requireSpelling(
  { head, key, manifest }: PatchBase,
  { domain, keyId, canonicaliser, sentinels }: MailboxChanges,
): void {
  const fits =
    keyId === manifest.keyId &&
    keyId === key.id &&
    canonicaliser === CANONICALISER_VERSION &&
    isKnownCanonicaliser(manifest.canonicaliser) &&
    hasSentinels(sentinels, key, manifest.policy);
  if (fits) return;
  const message = `${domain}: the list is made under another key, policy or canonicaliser than the changes; try again`;
  throw failure("conflict", message, { domain, head: head.number });
}

/** Whether a name left the list and is still deferred. */
function isDeferred(
  { records, now }: CommitContext,
  { domain, departures }: ManifestRecord,
  { tail, fingerprint }: NetChange,
): boolean {
  const bytes =
    departures.inline ?? records.blob(domain, blobId(departures, departureBlobOf(tail, departures.bits)));
  return departedUntil(decodeDepartures(bytes), fingerprint) * 1000 > now;
}

/** Why the guard would refuse these changes of the head, or null. Nothing is stored. */
function refusalOf(
  context: CommitContext,
  { head, manifest }: PatchBase,
  compare: Compare,
  covered: ReadonlySet<number>,
): string | null {
  const { storage } = context;
  const changes = atOnce(nameChangesIn(compare, coverageOf(manifest, covered)));
  // Covered names were never listed.
  const { gone, back } = atOnce(nameChangesIn(compare));
  const accepted = acceptedCount(manifest.counts) - gone.length + back.length;
  const successor = {
    ...manifest,
    patterns: listedPatterns(manifest),
    head,
    accepted,
    changesFrom: knownChanges(changes),
  };
  const number = (getMeta(storage, "number") ?? 0) + 1;
  return atOnce(judge(context, successor, number, false)).refusal;
}

/** The answer to a change, with its generation; remembered under its key. */
function remember(
  { storage, now }: CommitContext,
  idempotency: MailboxChanges["idempotency"],
  generation: number,
  outcome: Outcome,
): Outcome {
  // One that was remembered before has its generation.
  if (!outcome.ok || outcome.value.generation > 0) return outcome;
  const result = { ...outcome.value, generation };
  if (idempotency !== null) rememberResult(storage, idempotency, result, now);
  return ok(result);
}

/** What the history says of a batch. */
function describe(outcomes: readonly Outcome[]): string {
  const sum = (of: "added" | "removed" | "changed"): string => {
    const values = outcomes.map((it) => (it.ok && it.value.generation === 0 ? it.value[of] : 0));
    return `${values.reduce((total, each) => total + each, 0)} ${of}`;
  };
  return `${sum("added")}, ${sum("removed")}, ${sum("changed")}`;
}
