import type { Recipient } from "./address.ts";
import { canonicalLocalPart, furtherCandidates, type Matched } from "./canonical.ts";
import { shownName } from "./cuts.ts";
import { type Departures, departedUntil, departureBlobOf } from "./departures.ts";
import { fingerprint, shardOf, tailOf } from "./fingerprint.ts";
import type { Manifest } from "./manifest.ts";
import type { PatternTable } from "./pattern-table.ts";
import { ACTIVE, DISABLED, FULL, findEntry, MOVED, type Shard } from "./shard.ts";
import { VERDICTS, type Verdict } from "./verdict.ts";

/** The blobs of one manifest that are in memory. */
export interface Holdings {
  shard(index: number): Shard | undefined;
  departures(index: number): Departures | undefined;
}

/** A recipient with a local part and a domain. */
export type MailboxRecipient = Extract<Recipient, { kind: "mailbox" }>;

/** A recipient of a domain that may have a list, whether or not that list can hold it. */
export type DomainRecipient = Extract<Recipient, { readonly domain: string }>;

/** What one generation says about a recipient, or which of its blobs must be loaded first. */
export type Finding =
  | {
      readonly kind: "found";
      readonly verdict: Verdict;
      readonly matched: Matched | null;
      /** The pattern that matched, as people write it. */
      readonly pattern?: string;
      /** The digest of the name that was found, left, or is unknown; none if no list can hold it, or none is asked for. */
      readonly name?: Uint8Array | undefined;
      /** If the name left: the Unix second until which it is deferred, or was. */
      readonly until?: number | undefined;
    }
  | { readonly kind: "needs"; readonly table: "shards" | "departures"; readonly index: number };

const found = (
  verdict: Verdict,
  matched: Matched | null = null,
  name?: Uint8Array,
  until?: number,
): Finding => ({ kind: "found", verdict, matched, name, until });

const VERDICT_OF_STATE: Readonly<Record<number, Verdict>> = {
  [ACTIVE]: "deliverable",
  [DISABLED]: "disabled",
  [FULL]: "full",
  [MOVED]: "moved",
};

/**
 * Looks a recipient up in one generation: the exact local part, then without its BATV tag, then the patterns, then both
 * again without its subaddress, then postmaster, then the catch-all. A name that left recently is deferred, and so is
 * everybody whom a domain in its list-wide grace would refuse. Syntax matters only on a miss.
 *
 * @param now Unix milliseconds, for departures
 * @param refusesFrom until then nobody is refused; of an alias, the later one of its own and its target's
 */
export function lookup(
  manifest: Manifest,
  holdings: Holdings,
  recipient: DomainRecipient,
  now: number,
  refusesFrom = manifest.refusesFrom,
): Finding {
  const finding = find(manifest, holdings, recipient, now);
  if (finding.kind === "needs" || now >= refusesFrom || VERDICTS[finding.verdict].action !== "reject")
    return finding;
  return { ...finding, verdict: "departed" };
}

function find(manifest: Manifest, holdings: Holdings, recipient: DomainRecipient, now: number): Finding {
  if (manifest.deletedUntil !== null) return found(now < manifest.deletedUntil ? "departed" : "not-served");
  if (recipient.kind === "unlistable") return found("malformed");
  const { policy, patterns } = manifest;
  const exact = canonicalLocalPart(recipient.local, policy);
  const misses: Uint8Array[] = [];
  if (exact !== "") {
    const listed = lookUpName(manifest, holdings, exact, "mailbox", misses);
    if (listed !== null) return listed;
    for (const { name, matched } of furtherCandidates(recipient.local, policy, patterns !== null, exact)) {
      const further =
        matched === "pattern"
          ? lookUpPattern(manifest, name, now, misses)
          : lookUpName(manifest, holdings, name, matched, misses);
      if (further !== null) return further;
    }
    if (policy.postmaster && exact === "postmaster") return found("deliverable", "postmaster");
    if (policy.catchall) return found("deliverable", "catch-all");
  }
  let name = misses[0];
  let left: number | undefined;
  if (manifest.departures.count > 0) {
    for (const digest of misses) {
      const index = departureBlobOf(tailOf(digest), manifest.departures.bits);
      const blob = manifest.inlineDepartures ?? holdings.departures(index);
      if (blob === undefined) return { kind: "needs", table: "departures", index };
      const until = departedUntil(blob, digest);
      if (until * 1000 > now) return found("departed", null, digest, until);
      // Deferred no more, and still marked.
      if (until > (left ?? 0)) [name, left] = [digest, until];
    }
  }
  return found(recipient.wellFormed ? "unknown" : "malformed", null, name, left);
}

/** Looks one name up in its shard. If it is not listed, its digest is added to `misses`. */
function lookUpName(
  manifest: Manifest,
  holdings: Holdings,
  name: string,
  matched: Matched,
  misses: Uint8Array[],
): Finding | null {
  const digest = fingerprint(manifest.key.names, name);
  const index = shardOf(digest, manifest.shards.bits);
  const shard = manifest.inlineShard ?? holdings.shard(index);
  if (shard === undefined) return { kind: "needs", table: "shards", index };
  const state = findEntry(shard, digest);
  if (state >= 0) return found(VERDICT_OF_STATE[state] as Verdict, matched, digest);
  misses.push(digest);
  return null;
}

/** Looks one pattern up in the manifest's own table, so that a miss needs no further blob. */
function lookUpPattern(
  { key, patterns, patternShard }: Manifest,
  name: string,
  now: number,
  misses: Uint8Array[],
): Finding | null {
  const digest = fingerprint(key.names, name);
  const state = patternShard === null ? -1 : findEntry(patternShard, digest);
  if (state >= 0) {
    const verdict = VERDICT_OF_STATE[state] as Verdict;
    return { kind: "found", verdict, matched: "pattern", pattern: shownName(name), name: misses[0] };
  }
  if ((patterns as PatternTable).departedUntil * 1000 > now) misses.push(digest);
  return null;
}
