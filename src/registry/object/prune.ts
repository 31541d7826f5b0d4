import { deleteExpired, freeBlobs, settleLeft } from "../blobs/lifetime.ts";
import { forgetUsage, pruneUploads } from "../blobs/room.ts";
import { deleteJournal, pruneJournal } from "../changes/journal.ts";
import { pruneKeys } from "../changes/patch-keys.ts";
import { pruneGenerations, pruneTombstones } from "../generations/history.ts";
import type { Records } from "../generations/records.ts";
import { thinPatches } from "../generations/thin-patches.ts";
import { pruneReplaced, REPLACED_LIFE } from "../kv/keys.ts";
import { pruneAudit } from "../log/audit.ts";
import { forgetGrants } from "../log/key-grants.ts";
import { pruneTokens } from "../log/tokens.ts";
import { pruneLedgers } from "../names/guard-store.ts";
import { noteHeld } from "../names/held-names.ts";
import type { RegistryStorage } from "../ports.ts";

/** Rows of one run, so that a long history does not block the object. */
const ROWS = 500;

/**
 * Deletes what has outlived history: superseded generations, blobs that none of the kept ones names, tombstones,
 * revocations of tokens that have expired, old lines of the audit trail. Copying deletes their keys in KV. Call it
 * inside a transaction.
 *
 * @param history milliseconds that a superseded generation is kept
 * @returns whether there may be more than one run deletes
 */
export function prune(storage: RegistryStorage, records: Records, now: number, history: number): boolean {
  const generations = pruneGenerations(storage, now - history, ROWS);
  for (const domain of generations.domains) pruneJournal(storage, domain);
  const thinned = thinPatches(storage, now, ROWS);
  for (const domain of thinned.domains) freeBlobs(storage, domain, now + REPLACED_LIFE);
  const isMore = [
    pruneKeys(storage, now, ROWS),
    settleLeft(storage, (domain) => records.namedByHead(domain), now, history),
    deleteExpired(storage, now, ROWS),
    pruneReplaced(storage, now, ROWS),
    forgetTombstones(storage, now - history),
    pruneLedgers(storage, now, ROWS),
  ];
  pruneUploads(storage, now);
  pruneTokens(storage, now - history);
  pruneAudit(storage, now - 12 * history);
  return generations.isMore || thinned.isMore || isMore.includes(true);
}

/** Deletes old tombstones, with what else is known of their domains. */
function forgetTombstones(storage: RegistryStorage, before: number): boolean {
  const { domains, isMore } = pruneTombstones(storage, before, ROWS);
  for (const domain of domains) {
    deleteJournal(storage, domain);
    noteHeld(storage, domain, 0);
    forgetGrants(storage, domain);
    forgetUsage(storage, domain);
  }
  return isMore;
}
