/**
 * The journal of single changes: each as it was from one generation on until another one settled or replaced it, kept as
 * long as history. From it a rollback knows what was open then, and who was removed with `--now` since.
 */
import {
  type BlobTable,
  blobId,
  isAcceptedState,
  type ManifestRecord,
  type PatchedName,
  type Steps,
  shardOf,
} from "../../directory/index.ts";
import type { Records } from "../generations/records.ts";
import type { RegistryStorage, SqlRow } from "../ports.ts";
import { bytesOf, insert, replace } from "../storage/rows.ts";
import { stateIn } from "./net-changes.ts";
import { listedIn } from "./rebuild-shards.ts";

/** Rows that a domain's journal has at most. Its oldest are forgotten first. */
export const MAX_JOURNAL = 500_000;

/** Without the hint SQLite reads all rows of the domain. */
const IN_FORCE = "settled_names INDEXED BY settled_names_in_force";

/** What one name was changed to, from a generation on. */
export interface JournalRow extends PatchedName {
  readonly number: number;
  /** The spelling under which the name was removed with `--now`; null if it was not. */
  readonly atOnce: string | null;
}

/** A list by what its fingerprints are made from. */
export type Spelled = Pick<ManifestRecord, "keyId" | "policy">;

/** The same for two lists whose fingerprints can be compared. */
export const spellingOf = ({ keyId, policy }: Spelled): string => `${keyId} ${policy.case} ${policy.dots}`;

export const ROW_COLUMNS = "fingerprint, was, state, number, at_once";

export const rowIn = ({ fingerprint, was, state, number, at_once }: SqlRow): JournalRow => ({
  fingerprint: bytesOf(fingerprint),
  was: was as number,
  state: state as number,
  number: number as number,
  atOnce: at_once as string | null,
});

/**
 * Notes a change that is open no more, or that is replaced by a later one.
 * @param ended the generation from which on it is not as it was
 * @param isInForce whether it was settled by a list, so that a removal with `--now` still counts
 */
export function retire(
  storage: RegistryStorage,
  domain: string,
  { fingerprint, was, state, number, atOnce }: JournalRow,
  ended: number,
  { isInForce = false } = {},
): void {
  const holds = isInForce && atOnce !== null;
  // No generation has it, and nothing is left of it.
  if (number >= ended && !holds) return;
  const seq = 1 + lastOf(storage, domain);
  const at_once = atOnce;
  const row = { domain, seq, ended, fingerprint, was, state, number, at_once, holds: holds ? 1 : null };
  insert(storage, "settled_names", row);
  if (seq > MAX_JOURNAL) forgetUpTo(storage, domain, seq - MAX_JOURNAL);
}

/** The number of the newest row, 0 if there is none. */
const lastOf = (storage: RegistryStorage, domain: string): number =>
  (storage.sql("SELECT seq FROM settled_names WHERE domain = ? ORDER BY seq DESC LIMIT 1", domain)[0]?.seq ??
    0) as number;

function forgetUpTo(storage: RegistryStorage, domain: string, seq: number): void {
  const forgotten = storage.sql(
    "DELETE FROM settled_names WHERE domain = ? AND seq <= ? RETURNING ended",
    domain,
    seq,
  );
  const ended = Math.max(...forgotten.map((row) => row.ended as number));
  if (forgotten.length > 0) replace(storage, "forgotten_names", { domain, ended });
}

/** Something later was said of a name: no earlier removal of it with `--now` under this spelling counts any more. */
export function supersede(
  storage: RegistryStorage,
  domain: string,
  fingerprint: Uint8Array,
  spelling: string,
): void {
  storage.sql(
    `UPDATE ${IN_FORCE} SET holds = NULL WHERE domain = ? AND fingerprint = ? AND holds = 1 AND at_once = ?`,
    domain,
    fingerprint,
    spelling,
  );
}

/** A person drops all removals with `--now` since a generation, whatever their spelling. */
export function dropSince(storage: RegistryStorage, domain: string, number: number): void {
  storage.sql(
    `UPDATE ${IN_FORCE} SET holds = NULL WHERE domain = ? AND holds = 1 AND number > ?`,
    domain,
    number,
  );
}

/** Whether a name was removed with `--now`, a list settled that, and nothing has lifted it since. */
export const isInForce = (
  storage: RegistryStorage,
  domain: string,
  fingerprint: Uint8Array,
  spelling: string,
): boolean =>
  storage.sql(
    `SELECT 1 FROM ${IN_FORCE} WHERE domain = ? AND fingerprint = ? AND holds = 1 AND at_once = ? LIMIT 1`,
    domain,
    fingerprint,
    spelling,
  ).length > 0;

/**
 * A new list is the head: whom it accepts is not removed any more, whatever a removal with `--now` said that an earlier
 * list has settled.
 * @param before shards of the head before, which accepts none of them; null if that is not known, or has another spelling
 */
export function* liftAccepted(
  storage: RegistryStorage,
  records: Records,
  list: Spelled & { readonly domain: string; readonly shards: BlobTable },
  before: BlobTable | null,
): Steps<void> {
  const { domain, shards } = list;
  const removed = storage.sql(
    `SELECT DISTINCT fingerprint FROM ${IN_FORCE} WHERE domain = ? AND holds = 1 AND at_once = ?`,
    domain,
    spellingOf(list),
  );
  const prints = removed.map(({ fingerprint }) => bytesOf(fingerprint));
  const unknown = prints.filter((print) => !isSameShard(before, shards, shardOf(print, shards.bits)));
  const listed = yield* listedIn(records, list, unknown);
  for (const print of unknown) {
    if (isAcceptedState(stateIn(listed, print, shards.bits)))
      supersede(storage, domain, print, spellingOf(list));
  }
}

/** Whether two lists have the same blob for a shard. One within a manifest is read as quickly as it is compared. */
const isSameShard = (a: BlobTable | null, b: BlobTable, index: number): boolean =>
  b.inline === null && a?.bits === b.bits && blobId(a, index) === blobId(b, index);

/** A change that is open no more. */
export interface SettledRow extends JournalRow {
  readonly isInForce: boolean;
}

/** Changes that were open in a generation or later, and are not any more. */
export function settledSince(storage: RegistryStorage, domain: string, number: number): SettledRow[] {
  const rows = storage.sql(
    `SELECT ${ROW_COLUMNS}, holds FROM settled_names WHERE domain = ? AND seq > coalesce(
       (SELECT seq FROM settled_names WHERE domain = ? AND ended <= ? ORDER BY seq DESC LIMIT 1), 0)`,
    domain,
    domain,
    number,
  );
  return rows.map((row) => ({ ...rowIn(row), isInForce: row.holds === 1 }));
}

/** Whether changes that were open in a generation are forgotten: the journal has no room for them. */
export const isForgotten = (storage: RegistryStorage, domain: string, number: number): boolean =>
  storage.sql("SELECT 1 FROM forgotten_names WHERE domain = ? AND ended > ?", domain, number).length > 0;

/** Deletes what no generation had that is still kept. */
export function pruneJournal(storage: RegistryStorage, domain: string): void {
  const first =
    storage.sql("SELECT min(number) AS n FROM generations WHERE domain = ?", domain)[0]?.n ?? null;
  if (first === null) return;
  storage.sql(
    `DELETE FROM settled_names WHERE domain = ? AND seq < coalesce(
       (SELECT seq FROM settled_names WHERE domain = ? AND ended > ? ORDER BY seq LIMIT 1), ?)`,
    domain,
    domain,
    first,
    Number.MAX_SAFE_INTEGER,
  );
  storage.sql("DELETE FROM forgotten_names WHERE domain = ? AND ended <= ?", domain, first);
}

/** Deletes all of a domain that is no more. */
export function deleteJournal(storage: RegistryStorage, domain: string): void {
  for (const table of ["patched_names", "settled_names", "forgotten_names"])
    storage.sql(`DELETE FROM ${table} WHERE domain = ?`, domain);
}
