/** The brake: holds names that left if so many of them are asked for that they were probably removed by mistake. */
import type { HeadResult } from "../../api/index.ts";
import {
  acceptedCount,
  brakeLimit,
  estimate,
  groupIn,
  isLarge,
  isSuspended,
  type JudgedGroup,
  judgeGroups,
  listedPatterns,
  MARKED_FOR,
  type ManifestRecord,
  mergeSketch,
  NO_GROUPS,
  NO_STEPS,
  newSketch,
  type Sketch,
} from "../../directory/index.ts";
import { failure } from "../failure.ts";
import { type CommitMeta, type Head, liveManifest } from "../generations/records.ts";
import type { KnownChanges } from "../names/compute-departures.ts";
import { isComparable } from "../names/guard.ts";
import { type Brake, brakeOf, noteBrake } from "../names/held-names.ts";
import type { AskedLeavers } from "../names/leaver-counts.ts";
import { type CommitContext, commitDrafts } from "./commit.ts";
import { requireHead } from "./validate-commit.ts";

/**
 * Holds all names of a domain that left recently, if distinct ones of them were asked for more often than leavers are.
 * They become a new generation, so readers learn of it as of any other. Call it inside a transaction.
 * @param asked names that were asked for, by group
 * @returns why, or null if nothing is held
 * @throws RegistryFailure
 */
export function judgeLeavers(
  context: CommitContext,
  domain: string,
  asked: AskedLeavers,
): Omit<Brake, "held"> | null {
  const { records, storage, now } = context;
  // Most leavers are few. Only then is it worth reading the head.
  if (distinct(asked.values()) < brakeLimit(0, [])) return null;
  const head = records.head(domain);
  const manifest = liveManifest(head);
  if (head === null || manifest === null) return null;
  const judged = judgeGroups(groupsIn(manifest, asked, now), acceptedCount(manifest.counts));
  if (judged === null) return null;
  const reason = { since: now, ...judged };
  const note = `${reason.asked} of ${reason.left} names that left were asked for`;
  commitBrake(context, head, manifest, "hold", { action: "brake", by: "registry", forced: false, note });
  noteBrake(storage, domain, reason);
  return reason;
}

/**
 * A person says that held names left: they are unknown from now on.
 * @throws RegistryFailure `not_found` or `conflict`
 */
export function release(context: CommitContext, domain: string, expect: number, by: string): HeadResult {
  const { records, storage } = context;
  const head = records.head(domain);
  const manifest = liveManifest(head);
  const brake = brakeOf(storage, domain);
  if (head === null || manifest === null || brake === null) {
    throw failure("not_found", `the brake holds no names of ${domain}`, { domain });
  }
  requireHead(domain, head, expect);
  const note = `${brake.held} names that left are refused`;
  const meta = { action: "release", by, forced: true, note } as const;
  return { domain, generation: commitBrake(context, head, manifest, "release", meta) };
}

/** Puts the list as it is under a new number; only its departures change. @throws RegistryFailure */
function commitBrake(
  context: CommitContext,
  head: Head,
  manifest: ManifestRecord,
  brake: KnownChanges["brake"],
  meta: CommitMeta,
): number {
  const { domain, epoch, policy } = manifest;
  const key = context.keyFor(domain, epoch);
  if (!isComparable(manifest, { policy, keyId: key.id })) {
    const message = `${domain}: the list is made under another key than the edge's: publish it again`;
    throw failure("conflict", message, { domain });
  }
  const known: KnownChanges = { compare: () => NO_STEPS, atOnce: new Set(), brake };
  const patterns = listedPatterns(manifest);
  return commitDrafts(
    context,
    [{ ...manifest, patterns, head, key, missing: [], covered: null, known }],
    meta,
  );
}

/** Names of a list that left and that can be held, with those of them that were asked for. */
function groupsIn({ departures }: ManifestRecord, asked: AskedLeavers, now: number): JudgedGroup[] {
  const { grid, groups } = departures.groups ?? NO_GROUPS;
  const numbers = { grid, ids: new Map(groups.map((group) => [group.id, group])) };
  const sketches = new Map(groups.map(({ id }) => [id, newSketch()]));
  for (const [number, sketch] of asked) {
    const id = groupIn(numbers, number);
    if (id !== null) mergeSketch(sketches.get(id) as Sketch, sketch);
  }
  const second = Math.ceil(now / 1000);
  return groups
    .filter(({ id }) => id + MARKED_FOR > second)
    .map(({ id, left, gone, at }) => ({
      left,
      gone,
      age: Math.max(0, second - at),
      small: !isLarge(id),
      suspended: isSuspended(id),
      asked: sketches.get(id) as Sketch,
    }));
}

/** About how many distinct names are in sketches together. */
function distinct(sketches: Iterable<Sketch>): number {
  const all = newSketch();
  for (const sketch of sketches) mergeSketch(all, sketch);
  return estimate(all);
}
