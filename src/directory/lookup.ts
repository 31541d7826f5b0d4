import type { Recipient } from "./address.ts";
import { canonicalLocalPart, furtherCandidates, type Matched } from "./canonical.ts";
import { type Departures, departedUntil, departureBlobOf } from "./departures.ts";
import { fingerprint, shardOf, tailOf } from "./fingerprint.ts";
import type { Manifest } from "./manifest.ts";
import { ACTIVE, DISABLED, FULL, findEntry, MOVED, type Shard } from "./shard.ts";
import type { Verdict } from "./verdict.ts";

/** The blobs of one manifest that are at hand. */
export interface Holdings {
  shard(index: number): Shard | undefined;
  departures(index: number): Departures | undefined;
}

/** A recipient with a local part and a domain. */
export type MailboxRecipient = Extract<Recipient, { kind: "mailbox" }>;

/** What one generation says of a recipient, or which of its blobs has to be at hand first. */
export type Finding =
  | { readonly kind: "found"; readonly verdict: Verdict; readonly matched: Matched | null }
  | { readonly kind: "needs"; readonly table: "shards" | "departures"; readonly index: number };

const found = (verdict: Verdict, matched: Matched | null = null): Finding => ({
  kind: "found",
  verdict,
  matched,
});

const VERDICT_OF_STATE: Readonly<Record<number, Verdict>> = {
  [ACTIVE]: "deliverable",
  [DISABLED]: "disabled",
  [FULL]: "full",
  [MOVED]: "moved",
};

/**
 * Looks a recipient up in one generation: the exact local part, then without BATV tag and subaddress, then
 * postmaster, then the catch-all. A name that left lately is deferred, and syntax is only looked at on a miss.
 *
 * @param now Unix milliseconds, for departures
 */
export function lookup(
  manifest: Manifest,
  holdings: Holdings,
  recipient: MailboxRecipient,
  now: number,
): Finding {
  if (manifest.deletedUntil !== null) return found(now < manifest.deletedUntil ? "departed" : "not-served");
  const { policy, key } = manifest;
  const exact = canonicalLocalPart(recipient.local, policy);
  const digests: Uint8Array[] = [];
  if (exact !== "") {
    const candidates = [{ name: exact, matched: "mailbox" as const }];
    for (let i = 0; i < candidates.length; i++) {
      const { name, matched } = candidates[i] as (typeof candidates)[0];
      const digest = fingerprint(key.names, name);
      const index = shardOf(digest, manifest.shards.bits);
      const shard = manifest.inlineShard ?? holdings.shard(index);
      if (shard === undefined) return { kind: "needs", table: "shards", index };
      const state = findEntry(shard, digest);
      if (state >= 0) return found(VERDICT_OF_STATE[state] as Verdict, matched);
      digests.push(digest);
      if (i === 0) candidates.push(...(furtherCandidates(recipient.local, policy) as typeof candidates));
    }
    if (policy.postmaster && exact === "postmaster") return found("deliverable", "postmaster");
    if (policy.catchall) return found("deliverable", "catch-all");
  }
  for (const digest of digests) {
    const departed = departure(manifest, holdings, digest, now);
    if (departed !== null) return departed;
  }
  return found(recipient.wellFormed ? "unknown" : "malformed");
}

function departure(manifest: Manifest, holdings: Holdings, digest: Uint8Array, now: number): Finding | null {
  if (manifest.departures.count === 0) return null;
  const index = departureBlobOf(tailOf(digest), manifest.departures.bits);
  const blob = manifest.inlineDepartures ?? holdings.departures(index);
  if (blob === undefined) return { kind: "needs", table: "departures", index };
  return departedUntil(blob, digest) * 1000 > now ? found("departed") : null;
}
