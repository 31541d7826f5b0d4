import type { Recipient } from "../address/address.ts";
import { canonicalLocalPart, furtherCandidates, type Matched } from "../address/canonical.ts";
import { shownName } from "../address/cuts.ts";
import { fingerprint, shardOf, tailOf } from "../address/fingerprint.ts";
import { type Departures, departedUntil, departureBlobOf } from "../formats/departures.ts";
import type { Manifest } from "../formats/manifest.ts";
import type { PatternTable } from "../formats/pattern-table.ts";
import { ACTIVE, DISABLED, FULL, findEntry, isAcceptedState, MOVED, type Shard } from "../formats/shard.ts";
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
      /** If the name left or was suspended: the Unix second until which it is deferred, or was. */
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
 * again without its subaddress, then postmaster, then the catch-all. Before somebody is refused, also by an entry of the list,
 * the departures are asked: a name that left or was suspended recently is deferred, and so is everybody whom a domain in its
 * list-wide grace would refuse. Syntax matters only on a miss.
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
  if (finding.kind === "needs" || now >= refusesFrom || !refuses(finding.verdict)) return finding;
  return { ...finding, verdict: "departed" };
}

function find(manifest: Manifest, holdings: Holdings, recipient: DomainRecipient, now: number): Finding {
  if (manifest.deletedUntil !== null) return found(now < manifest.deletedUntil ? "departed" : "not-served");
  if (recipient.kind === "unlistable") return found("malformed");
  const { policy } = manifest;
  const exact = canonicalLocalPart(recipient.local, policy);
  const refused: Uint8Array[] = [];
  const listed = exact === "" ? null : lookUpAll(manifest, holdings, recipient.local, exact, now, refused);
  if (listed !== null && (listed.kind === "needs" || !refuses(listed.verdict))) return listed;
  if (listed === null && exact !== "") {
    if (policy.postmaster && exact === "postmaster") return found("deliverable", "postmaster");
    if (policy.catchall) return found("deliverable", "catch-all");
  }
  const refusal = listed ?? found(recipient.wellFormed ? "unknown" : "malformed", null, refused[0]);
  let marked: { readonly name: Uint8Array; readonly until: number } | null = null;
  if (manifest.departures.count > 0) {
    for (const name of refused) {
      const index = departureBlobOf(tailOf(name), manifest.departures.bits);
      const blob = manifest.inlineDepartures ?? holdings.departures(index);
      if (blob === undefined) return { kind: "needs", table: "departures", index };
      const until = departedUntil(blob, name);
      if (until * 1000 > now) return found("departed", null, name, until);
      // Deferred no more, and still marked.
      if (until > (marked?.until ?? 0)) marked = { name, until };
    }
  }
  return marked === null ? refusal : { ...refusal, ...marked };
}

const refuses = (verdict: Verdict): boolean => VERDICTS[verdict].action === "reject";

/**
 * What the list itself says, the most specific entry first; null if it has none.
 * @param refused gets the digests for which the departures are asked before somebody is refused
 */
function lookUpAll(
  manifest: Manifest,
  holdings: Holdings,
  local: string,
  exact: string,
  now: number,
  refused: Uint8Array[],
): Finding | null {
  const { departures, policy, patterns } = manifest;
  let listed = lookUpName(manifest, holdings, exact, "mailbox", refused);
  const isDecided = (): boolean =>
    listed !== null && (listed.kind === "needs" || !refuses(listed.verdict) || departures.count === 0);
  if (isDecided()) return listed;
  for (const { name, matched } of furtherCandidates(local, policy, patterns !== null, exact)) {
    // Who is refused by one entry may have been accepted or deferred by the next until now.
    if (listed !== null) noteDeparted(manifest, name, matched, now, refused);
    else if (matched === "pattern") listed = lookUpPattern(manifest, name, now, refused);
    else listed = lookUpName(manifest, holdings, name, matched, refused);
    if (isDecided()) return listed;
  }
  return listed;
}

/** Notes an entry that the list is not asked for, since it refuses by another. */
function noteDeparted(
  { key, patterns }: Manifest,
  name: string,
  matched: Matched,
  now: number,
  refused: Uint8Array[],
): void {
  const isOver = matched === "pattern" && (patterns as PatternTable).departedUntil * 1000 <= now;
  if (!isOver) refused.push(fingerprint(key.names, name));
}

/** Looks one name up in its shard. */
function lookUpName(
  manifest: Manifest,
  holdings: Holdings,
  name: string,
  matched: Matched,
  refused: Uint8Array[],
): Finding | null {
  const digest = fingerprint(manifest.key.names, name);
  const index = shardOf(digest, manifest.shards.bits);
  const shard = manifest.inlineShard ?? holdings.shard(index);
  if (shard === undefined) return { kind: "needs", table: "shards", index };
  const state = findEntry(shard, digest);
  if (!isAcceptedState(state)) refused.push(digest);
  return state >= 0 ? found(VERDICT_OF_STATE[state] as Verdict, matched, digest) : null;
}

/** Looks one pattern up in the manifest's own table, so that a miss needs no further blob. */
function lookUpPattern(
  { key, patterns, patternShard }: Manifest,
  pattern: string,
  now: number,
  refused: Uint8Array[],
): Finding | null {
  const digest = fingerprint(key.names, pattern);
  const state = patternShard === null ? -1 : findEntry(patternShard, digest);
  const [name] = refused;
  if (!isAcceptedState(state) && (patterns as PatternTable).departedUntil * 1000 > now) refused.push(digest);
  if (state < 0) return null;
  const verdict = VERDICT_OF_STATE[state] as Verdict;
  return { kind: "found", verdict, matched: "pattern", pattern: shownName(pattern), name };
}
