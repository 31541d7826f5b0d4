/** The Registry's tables, and how a stored state follows the code; docs/storage.md describes each table. */
import type { RegistryError } from "../../api/index.ts";
import type { RegistryStorage } from "../ports.ts";
import { getMeta, setMeta } from "./meta.ts";

/**
 * One step from a schema version to the next. A step only adds: tables, indexes, and columns that may be null. So the
 * release before it keeps working on the result, and `wrangler rollback` is no outage. A released step never changes.
 */
export interface Migration {
  readonly name: string;
  run(storage: RegistryStorage): void;
}

const META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID";

const FIRST_TABLES = [
  `CREATE TABLE heads (
     domain TEXT PRIMARY KEY, number INTEGER NOT NULL, deleted INTEGER, alias TEXT,
     kv_number INTEGER NOT NULL DEFAULT 0, kv_time INTEGER NOT NULL DEFAULT 0, kv_failures INTEGER,
     kv_next INTEGER) WITHOUT ROWID`,
  `CREATE INDEX heads_by_number ON heads (number)`,
  `CREATE TABLE generations (
     domain TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, action TEXT NOT NULL,
     made_by TEXT NOT NULL, forced INTEGER NOT NULL, note TEXT, accepted INTEGER NOT NULL,
     superseded INTEGER, manifest BLOB NOT NULL, PRIMARY KEY (domain, number)) WITHOUT ROWID`,
  `CREATE INDEX generations_superseded ON generations (superseded, number)`,
  // `named_from`: the generation with which the head began to name it; negative: the head does not name it any more.
  `CREATE TABLE blobs (
     domain TEXT NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL, bits INTEGER NOT NULL, place INTEGER NOT NULL,
     active INTEGER NOT NULL, disabled INTEGER NOT NULL, full INTEGER NOT NULL, moved INTEGER NOT NULL,
     expires INTEGER NOT NULL, in_kv INTEGER NOT NULL DEFAULT 0, named_from INTEGER NOT NULL,
     PRIMARY KEY (domain, id))`,
  `CREATE INDEX blobs_expires ON blobs (expires)`,
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY, role TEXT NOT NULL, domains TEXT, expires INTEGER, created INTEGER NOT NULL,
     note TEXT, key_id TEXT NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE revocations (
     id TEXT PRIMARY KEY, number INTEGER NOT NULL, time INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID`,
  `CREATE TABLE audit (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, action TEXT NOT NULL, made_by TEXT NOT NULL,
     subject TEXT NOT NULL, detail TEXT)`,
  `CREATE TABLE guard_ledgers (
     domain TEXT PRIMARY KEY, updated INTEGER NOT NULL, bits INTEGER NOT NULL, lists BLOB NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX guard_ledgers_updated ON guard_ledgers (updated)`,
  `CREATE TABLE guard_spans (
     domain TEXT NOT NULL, bucket INTEGER NOT NULL, spans INTEGER NOT NULL, newest INTEGER NOT NULL,
     bytes BLOB NOT NULL, PRIMARY KEY (domain, bucket))`,
  // `refused`: sketches of distinct names that a softer mode did not refuse.
  `CREATE TABLE counters (bucket INTEGER PRIMARY KEY, packed TEXT NOT NULL, refused TEXT)`,
  // Names that left and were asked for, as sketches by domain and group.
  `CREATE TABLE asked_leavers (
     minute INTEGER NOT NULL, part INTEGER NOT NULL, packed TEXT NOT NULL, PRIMARY KEY (minute, part))`,
  `CREATE TABLE kv_deletions (key TEXT PRIMARY KEY, failures INTEGER, next INTEGER) WITHOUT ROWID`,
  `CREATE TABLE kv_replaced (
     domain TEXT NOT NULL, id TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (domain, id)) WITHOUT ROWID`,
  `CREATE INDEX kv_replaced_since ON kv_replaced (since)`,
  // What listings show of a generation, so that they need not read its manifest. `refuses_from`: the end of a list-wide
  // grace that it began in. `groups`: the grid, and the numbers of groups of names that left; null: nobody did.
  `CREATE TABLE summaries (
     domain TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, mode TEXT NOT NULL,
     active INTEGER NOT NULL, disabled INTEGER NOT NULL, "full" INTEGER NOT NULL, moved INTEGER NOT NULL,
     departures INTEGER NOT NULL, alias TEXT, deleted_until INTEGER, epoch INTEGER NOT NULL, key_id TEXT NOT NULL,
     canonicaliser INTEGER NOT NULL, bits INTEGER NOT NULL, patterns INTEGER NOT NULL, refuses_from INTEGER,
     groups TEXT, PRIMARY KEY (domain, number)) WITHOUT ROWID`,
  `CREATE TRIGGER generations_gone AFTER DELETE ON generations BEGIN
     DELETE FROM summaries WHERE domain = OLD.domain AND number = OLD.number; END`,
  // Few domains wait for KV, are aliases or are deleted: these find them without reading all heads.
  `CREATE INDEX heads_waiting ON heads (number) WHERE kv_number < number`,
  `CREATE INDEX heads_by_alias ON heads (alias) WHERE alias IS NOT NULL`,
  `CREATE INDEX heads_deleted ON heads (deleted) WHERE deleted IS NOT NULL`,
  // What single changes did to each name since the last publish. A state of -1: not listed. `at_once`: the spelling under
  // which it was removed with --now.
  `CREATE TABLE patched_names (
     domain TEXT NOT NULL, fingerprint BLOB NOT NULL, was INTEGER NOT NULL, state INTEGER NOT NULL,
     number INTEGER NOT NULL, at_once TEXT, PRIMARY KEY (domain, fingerprint)) WITHOUT ROWID`,
  // What is open no more, or was changed again: it was so from `number` up to, but not including, `ended`, which never
  // falls from one row to the next. `holds`: 1 while a removal with --now still counts that a list has settled.
  `CREATE TABLE settled_names (
     domain TEXT NOT NULL, seq INTEGER NOT NULL, ended INTEGER NOT NULL, fingerprint BLOB NOT NULL,
     was INTEGER NOT NULL, state INTEGER NOT NULL, number INTEGER NOT NULL, at_once TEXT, holds INTEGER,
     PRIMARY KEY (domain, seq)) WITHOUT ROWID`,
  `CREATE INDEX settled_names_in_force ON settled_names (domain, fingerprint) WHERE holds = 1`,
  // Up to which generation a domain's oldest rows of these were forgotten, because there were too many.
  `CREATE TABLE forgotten_names (domain TEXT PRIMARY KEY, ended INTEGER NOT NULL) WITHOUT ROWID`,
  // Results of single changes, for a client that sends one again.
  `CREATE TABLE patch_keys (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, key TEXT NOT NULL, time INTEGER NOT NULL,
     digest TEXT NOT NULL, result TEXT NOT NULL)`,
  `CREATE UNIQUE INDEX patch_keys_by_key ON patch_keys (domain, key)`,
  `CREATE INDEX patch_keys_by_time ON patch_keys (time)`,
  // Generations that name a blob which the head no longer names: from `first` up to, but not including, `end`.
  `CREATE TABLE blob_spans (
     domain TEXT NOT NULL, id TEXT NOT NULL, first INTEGER NOT NULL, "end" INTEGER NOT NULL,
     PRIMARY KEY (domain, id, first)) WITHOUT ROWID`,
  // Blobs that the head left with the generation `number`, until their own rows say so.
  `CREATE TABLE left_blobs (
     domain TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL, since INTEGER NOT NULL,
     PRIMARY KEY (domain, id)) WITHOUT ROWID`,
  // What the brake holds, and why.
  `CREATE TABLE brakes (
     domain TEXT PRIMARY KEY, held INTEGER NOT NULL, since INTEGER NOT NULL, gone INTEGER NOT NULL,
     asked INTEGER NOT NULL) WITHOUT ROWID`,
  // Keys of later epochs, each given to one token.
  `CREATE TABLE key_grants (
     domain TEXT NOT NULL, epoch INTEGER NOT NULL, token TEXT NOT NULL, time INTEGER NOT NULL,
     used INTEGER NOT NULL, PRIMARY KEY (domain, epoch)) WITHOUT ROWID`,
  // What was found damaged, until it is put right. `of_head`: 1 where the head cannot be used.
  `CREATE TABLE damages (
     domain TEXT NOT NULL, detail TEXT NOT NULL, of_head INTEGER NOT NULL, since INTEGER NOT NULL,
     logged INTEGER NOT NULL, PRIMARY KEY (domain, detail)) WITHOUT ROWID`,
  // Uploaded shards that no commit names yet, and who uploaded them.
  `CREATE TABLE uploads (
     domain TEXT NOT NULL, id TEXT NOT NULL, made_by TEXT NOT NULL, bytes INTEGER NOT NULL, expires INTEGER NOT NULL,
     PRIMARY KEY (domain, id)) WITHOUT ROWID`,
  `CREATE INDEX uploads_by_token ON uploads (made_by)`,
  `CREATE INDEX uploads_expires ON uploads (expires)`,
  // Octets of a domain's blobs and manifests, when they were last measured.
  `CREATE TABLE usage (
     domain TEXT PRIMARY KEY, bytes INTEGER NOT NULL, measured INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX generations_patched ON generations (superseded) WHERE action = 'patch'`,
];

function createFirstTables(storage: RegistryStorage): void {
  for (const statement of FIRST_TABLES) storage.sql(statement);
}

/** In order; the first leads to version 1. */
const MIGRATIONS: readonly Migration[] = [{ name: "first tables", run: createFirstTables }];

/** The version that this code writes. */
export const SCHEMA = MIGRATIONS.length;

/** The version of a stored state; 0 if none was stored. */
const storedVersion = (storage: RegistryStorage): number => getMeta(storage, "schema") ?? 0;

/**
 * Brings a stored state to this code's version, or leaves it unchanged if that is the same or a later one. Runs
 * before anything else reads the state.
 */
export function migrate(storage: RegistryStorage, migrations = MIGRATIONS): void {
  storage.sql(META);
  if (storedVersion(storage) >= migrations.length) return;
  storage.transaction(() => {
    for (const { run } of migrations.slice(storedVersion(storage))) run(storage);
    setMeta(storage, "schema", migrations.length);
  });
}

/**
 * Refuses a state two or more versions ahead: the release that wrote it may have removed what this code relies on.
 * One version ahead only adds to what this code knows.
 */
export function schemaFault(storage: RegistryStorage): RegistryError | null {
  const version = storedVersion(storage);
  if (version <= SCHEMA + 1) return null;
  return {
    code: "unavailable",
    message: `the Registry's data has schema ${version}, and this release knows schema ${SCHEMA} and runs on ${SCHEMA + 1} at most: deploy a newer release`,
  };
}
