import type { RegistryStorage, SqlValue } from "./ports.ts";

/** Tables of a Registry; docs/storage.md tells the life of each. */
const TABLES = [
  `CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS heads (
     domain TEXT PRIMARY KEY, number INTEGER NOT NULL, deleted INTEGER, alias TEXT,
     kv_number INTEGER NOT NULL DEFAULT 0, kv_time INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS heads_by_number ON heads (number)`,
  `CREATE TABLE IF NOT EXISTS generations (
     domain TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, action TEXT NOT NULL,
     made_by TEXT NOT NULL, forced INTEGER NOT NULL, note TEXT, accepted INTEGER NOT NULL,
     superseded INTEGER, manifest BLOB NOT NULL, PRIMARY KEY (domain, number)) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS generations_superseded ON generations (superseded)`,
  `CREATE TABLE IF NOT EXISTS blobs (
     domain TEXT NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL, bits INTEGER NOT NULL, place INTEGER NOT NULL,
     active INTEGER NOT NULL, disabled INTEGER NOT NULL, full INTEGER NOT NULL, moved INTEGER NOT NULL,
     expires INTEGER, in_kv INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (domain, id))`,
  `CREATE INDEX IF NOT EXISTS blobs_expires ON blobs (expires)`,
  `CREATE TABLE IF NOT EXISTS tokens (
     id TEXT PRIMARY KEY, role TEXT NOT NULL, domains TEXT, expires INTEGER, created INTEGER NOT NULL,
     note TEXT) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS revocations (
     id TEXT PRIMARY KEY, number INTEGER NOT NULL, time INTEGER NOT NULL, expires INTEGER) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS audit (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, action TEXT NOT NULL, made_by TEXT NOT NULL,
     subject TEXT NOT NULL, detail TEXT)`,
  `CREATE TABLE IF NOT EXISTS guard_ledgers (
     domain TEXT PRIMARY KEY, updated INTEGER NOT NULL, bits INTEGER NOT NULL, lists BLOB NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS guard_ledgers_updated ON guard_ledgers (updated)`,
  `CREATE TABLE IF NOT EXISTS guard_spans (
     domain TEXT NOT NULL, bucket INTEGER NOT NULL, spans INTEGER NOT NULL, newest INTEGER NOT NULL,
     bytes BLOB NOT NULL, PRIMARY KEY (domain, bucket))`,
  `CREATE TABLE IF NOT EXISTS counters (bucket INTEGER PRIMARY KEY, packed TEXT NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS kv_deletions (key TEXT PRIMARY KEY) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS kv_replaced (
     domain TEXT NOT NULL, id TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (domain, id)) WITHOUT ROWID`,
  `CREATE INDEX IF NOT EXISTS kv_replaced_since ON kv_replaced (since)`,
  // In tables and rows of their own, so that a release that knows nothing of them goes on working.
  `CREATE TABLE IF NOT EXISTS summaries (
     domain TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER NOT NULL, mode TEXT NOT NULL,
     active INTEGER NOT NULL, disabled INTEGER NOT NULL, "full" INTEGER NOT NULL, moved INTEGER NOT NULL,
     departures INTEGER NOT NULL, alias TEXT, deleted_until INTEGER, epoch INTEGER NOT NULL, key_id TEXT NOT NULL,
     canonicaliser INTEGER NOT NULL, bits INTEGER NOT NULL, PRIMARY KEY (domain, number)) WITHOUT ROWID`,
  `CREATE TRIGGER IF NOT EXISTS generations_gone AFTER DELETE ON generations BEGIN
     DELETE FROM summaries WHERE domain = OLD.domain AND number = OLD.number; END`,
  // Of many domains few wait for KV, are aliases or are deleted: each is found without looking at all.
  `CREATE INDEX IF NOT EXISTS heads_waiting ON heads (number) WHERE kv_number < number`,
  `CREATE INDEX IF NOT EXISTS heads_by_alias ON heads (alias) WHERE alias IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS heads_deleted ON heads (deleted) WHERE deleted IS NOT NULL`,
];

/** Columns that came later. They may be null: a release that does not know them goes on writing rows. */
const LATER_COLUMNS = [
  ["heads", "kv_failures", "INTEGER"],
  ["heads", "kv_next", "INTEGER"],
  ["kv_deletions", "failures", "INTEGER"],
  ["kv_deletions", "next", "INTEGER"],
  ["tokens", "key_id", "TEXT"],
] as const;

/** Makes the tables, and what came to them later, where they are lacking. */
export function createTables(storage: RegistryStorage): void {
  for (const table of TABLES) storage.sql(table);
  for (const [table, column, type] of LATER_COLUMNS) {
    const columns = storage.sql(`PRAGMA table_info(${table})`);
    if (columns.some(({ name }) => name === column)) continue;
    storage.sql(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  }
}

/** Single values of a Registry, each with what it means. */
export interface Meta {
  /** When this Registry was made; its log belongs to it alone. */
  incarnation: number;
  partition: number;
  partitions: number;
  /** The newest number of the log. */
  number: number;
  /** Newest number whose record was pruned: questions since before it get everything. */
  purged: number;
  /** `number` of the roster that KV has, and when it was put there. */
  roster_number: number;
  roster_time: number;
  /** Number of the newest change that KV's roster has to tell of before its next heartbeat. */
  roster_due: number;
  /** When it was last tried to put it there, in vain or not. */
  roster_tried: number;
  /** How often that failed in a row, and when it is tried again. */
  roster_failures: number;
  roster_next: number;
  /** Why a key was not written, as long as any key fails. */
  kv_error: string;
  /** Every generation up to this number has its summary; and how far the present run through the heads has come. */
  summarised: number;
  summarising_number: number;
  summarising_domain: string;
  /** When revocations were last taken over from the first partition. */
  revocations_taken: number;
  /** When the alarm was last asked for; 0 while it runs. */
  alarm: number;
}

/** Reads one value; undefined where it was never set. */
export function getMeta<K extends keyof Meta>(storage: RegistryStorage, name: K): Meta[K] | undefined {
  return storage.sql("SELECT value FROM meta WHERE name = ?", name)[0]?.value as Meta[K] | undefined;
}

export function setMeta<K extends keyof Meta>(storage: RegistryStorage, name: K, value: Meta[K]): void {
  storage.sql("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value as SqlValue);
}

/** An alarm that is later than this will not come any more. */
const ALARM_LATE = 60_000;

/**
 * Asks for the alarm at `time`, unless it will come before that anyway, if it is late or not: many changes must
 * not put it off.
 */
export function setAlarmBy(storage: RegistryStorage, time: number, now: number): void {
  const asked = getMeta(storage, "alarm") ?? 0;
  if (asked > now - ALARM_LATE && asked <= time) return;
  setMeta(storage, "alarm", time);
  storage.setAlarm(time);
}
