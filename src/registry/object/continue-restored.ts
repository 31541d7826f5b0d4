/** Continues a log whose storage was restored to an earlier time: readers have seen higher numbers of it. */
import type { RestoredResult } from "../../api/index.ts";
import {
  DirectoryError,
  encodeManifest,
  isKnownCanonicaliser,
  type Mac,
  MOST_LIST_GRACE,
  openRoster,
  type Roster,
  readManifest,
  rosterKey,
} from "../../directory/index.ts";
import { messageOf } from "../../runtime/message-of.ts";
import type { KvStore } from "../../runtime/ports.ts";
import type { CommitContext } from "../commits/commit.ts";
import { failure } from "../failure.ts";
import type { CommitMeta } from "../generations/records.ts";
import { everythingLacks } from "../kv/keys.ts";
import { writeAudit } from "../log/audit.ts";
import { revokeAll } from "../log/tokens.ts";
import { deleteLedger } from "../names/guard-store.ts";
import { getMeta, nextNumber, setMeta } from "../storage/meta.ts";

/** Heads under one number, as in the largest commit. */
const HEADS_PER_NUMBER = 500;

/**
 * Reads what KV still shows of a Registry's newer past.
 * @returns the roster, null if KV has none that this deployment made
 * @throws RegistryFailure `unavailable` if KV cannot be read: revocations in it would be lost
 */
export async function readRoster(kv: KvStore, mac: Mac, partition: number): Promise<Roster | null> {
  const name = String(partition);
  let text: string | null | undefined;
  try {
    text = (await kv.getTexts([rosterKey(name)], 60)).get(rosterKey(name));
  } catch (error) {
    const why = messageOf(error);
    throw failure("unavailable", `KV's roster of partition ${name} cannot be read: ${why}; try again`);
  }
  if (!text) return null;
  try {
    return openRoster(text, name, mac);
  } catch (error) {
    if (error instanceof DirectoryError) return null;
    throw error;
  }
}

/**
 * Gives the log a higher incarnation, and every head a new number in it. Readers drop what they know of the log before
 * it, whatever its numbers were. Call it inside a transaction.
 *
 * @param expect the incarnation that the log has, so that a repeated request changes nothing
 * @param roster what KV shows: revocations that the restored storage lacks are made again
 * @throws RegistryFailure `conflict`
 */
export function continueRestored(
  context: CommitContext,
  expect: number,
  roster: Roster | null,
  by: string,
): RestoredResult {
  const { storage, now } = context;
  const before = getMeta(storage, "incarnation") as number;
  if (before !== expect) {
    throw failure("conflict", `the log has incarnation ${before}, and not ${expect}: look at it again`);
  }
  const lastNumber = getMeta(storage, "number") ?? 0;
  const incarnation = Math.max(now, before + 1, (roster?.incarnation ?? 0) + 1);
  setMeta(storage, "incarnation", incarnation);
  const domains = storage.sql("SELECT domain FROM heads ORDER BY domain").map((row) => row.domain as string);
  const unusable = continueHeads(context, domains, incarnation, by);
  copyAllAgain(context);
  const isKnown = new Set(domains);
  const lost = Object.keys(roster?.heads ?? {}).filter((domain) => !isKnown.has(domain));
  const revoked = roster?.revoked.filter((id) => !isRecorded(context, id)) ?? [];
  revokeAll(
    storage,
    revoked.map((id) => ({ id, expires: null })),
    by,
    now,
  );
  const asOf = nextNumber(storage);
  setMeta(storage, "roster_due", asOf);
  const partition = getMeta(storage, "partition") as number;
  const detail = `the log of incarnation ${before} up to ${lastNumber} continues as ${incarnation}; ${domains.length} heads, ${revoked.length} revocations from KV; override`;
  writeAudit(storage, now, "registry restored", by, `registry ${partition}`, detail);
  return {
    partition,
    incarnation,
    as_of: asOf,
    continued: domains.length - unusable.length,
    revoked: revoked.length,
    lost: lost.sort(),
    unusable,
  };
}

const isRecorded = ({ storage }: CommitContext, id: string): boolean =>
  storage.sql("SELECT 1 FROM revocations WHERE id = ?", id).length > 0;

/**
 * Puts the content of each head under a new number, as a rollback does. Who was added or left since is lost, so that each
 * list has the longest list-wide grace.
 * @returns domains whose list was made under another key or canonicaliser, or is damaged: nobody can sign it again
 */
function continueHeads(
  context: CommitContext,
  domains: readonly string[],
  incarnation: number,
  by: string,
): string[] {
  const { storage, records, keyFor, now } = context;
  const unusable: string[] = [];
  let number = 0;
  for (const [i, domain] of domains.entries()) {
    if (i % HEADS_PER_NUMBER === 0) number = nextNumber(storage);
    const head = records.soundHead(domain);
    if (head === null) {
      unusable.push(domain);
      continue;
    }
    const { manifest, number: from } = head;
    const key = keyFor(domain, manifest.epoch);
    if (key.id !== manifest.keyId || !isKnownCanonicaliser(manifest.canonicaliser)) {
      unusable.push(domain);
      continue;
    }
    const refusesFrom = manifest.deletedUntil === null ? now + MOST_LIST_GRACE : 0;
    const content = { ...manifest, incarnation, generation: number, time: now, refusesFrom };
    const action = manifest.deletedUntil === null ? "rollback" : "delete";
    const meta: CommitMeta = { action, by, forced: true, note: `restored from generation ${from}` };
    records.putHead(readManifest(encodeManifest(content, key), domain), meta, now);
    // It is computed again from the generations, this one included.
    deleteLedger(storage, domain);
  }
  return unusable;
}

/** KV may have later bytes of a head, and may lack blobs that were replaced since. */
function copyAllAgain({ storage }: CommitContext): void {
  everythingLacks(storage);
  setMeta(storage, "roster_number", 0);
  // The platform may have forgotten the alarm that this says is set.
  setMeta(storage, "alarm", 0);
}
