/** The brake: holds names that left if so many of them are asked for that they were probably removed by mistake. */
import type { HeadResult } from "../api/index.ts";
import {
  acceptedCount,
  brakeLimit,
  departureColumns,
  estimate,
  HELD,
  isStillMarked,
  listedPatterns,
  type ManifestRecord,
  mergeSketch,
  newSketch,
  type Sketch,
} from "../directory/index.ts";
import { type CommitContext, commitDrafts } from "./commit.ts";
import { blobsOfDomain, type KnownChanges } from "./compute-departures.ts";
import type { AskedLeavers } from "./counters.ts";
import { failure } from "./failure.ts";
import { isComparable } from "./guard.ts";
import { type Brake, brakeOf, noteBrake } from "./held-names.ts";
import { type CommitMeta, type Head, liveManifest, type Records } from "./records.ts";
import { requireHead } from "./validate-commit.ts";

/**
 * Holds all names of a domain that left recently, if distinct ones of them were asked for more often than leavers are.
 * They become a new generation, so readers learn of it as of any other. Call it inside a transaction.
 * @param asked names that were asked for, by the second until which they are deferred
 * @returns why, or null if nothing is held
 * @throws RegistryFailure
 */
export function judgeLeavers(
  context: CommitContext,
  domain: string,
  asked: AskedLeavers,
): Omit<Brake, "held"> | null {
  const { records, storage, now } = context;
  const head = records.head(domain);
  const manifest = liveManifest(head);
  if (head === null || manifest === null) return null;
  const accepted = acceptedCount(manifest.counts);
  // Most leavers are few. Only then is it worth reading who left.
  if (count(asked.values()) < brakeLimit(0, accepted, 0)) return null;
  const reason = reasonFor(leaversIn(records, manifest, now), asked, accepted, manifest.policy.grace, now);
  if (reason === null) return null;
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
  const known: KnownChanges = { compare: () => undefined, atOnce: new Set(), brake };
  const patterns = listedPatterns(manifest);
  return commitDrafts(context, [{ ...manifest, patterns, head, key, missing: [], known }], meta);
}

/** How many names left that can be held, by the second until which they are deferred. */
function leaversIn(
  records: Records,
  { domain, departures }: ManifestRecord,
  now: number,
): ReadonlyMap<number, number> {
  const leavers = new Map<number, number>();
  for (const { until } of departureColumns(blobsOfDomain(records, domain, 0), departures)) {
    for (const second of until) {
      const isOpen = second !== HELD && isStillMarked(second, departures.count, now);
      if (isOpen) leavers.set(second, (leavers.get(second) ?? 0) + 1);
    }
  }
  return leavers;
}

/** Names that left together, or all of them together, that were asked for too often; null if none were. */
function reasonFor(
  leavers: ReadonlyMap<number, number>,
  asked: AskedLeavers,
  accepted: number,
  grace: number,
  now: number,
): Omit<Brake, "held"> | null {
  const ages = (second: number): number => Math.max(0, Math.ceil(now / 1000) - (second - grace));
  const groups = [...[...leavers.keys()].map((second) => [second]), [...leavers.keys()]];
  for (const group of groups) {
    const gone = (second: number): number => leavers.get(second) as number;
    const sketches = (second: number): Sketch[] => [asked.get(second) ?? []].flat();
    const left = sum(group.map(gone));
    // Sketches keep names that returned since: of each second no more count than are still gone.
    const most = sum(group.map((second) => Math.min(gone(second), count(sketches(second)))));
    const found = Math.min(most, count(group.flatMap(sketches)));
    const age = Math.max(0, ...group.map(ages));
    if (found >= brakeLimit(left, accepted, age)) return { since: now, left, asked: found };
  }
  return null;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

/** About how many distinct names are in sketches together. */
function count(sketches: Iterable<Sketch>): number {
  const all = newSketch();
  for (const sketch of sketches) mergeSketch(all, sketch);
  return estimate(all);
}
