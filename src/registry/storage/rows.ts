import type { RegistryStorage, SqlValue } from "../ports.ts";

/** A row to write: a value for each column. */
export type NewRow = Readonly<Record<string, SqlValue>>;

/** Inserts a row. @param conflict what to do if its key is taken; left out, that is an error */
export const insert = (storage: RegistryStorage, table: string, row: NewRow, conflict = ""): void =>
  write("INSERT", storage, table, row, conflict);

/** Inserts a row in place of one with the same key. */
export const replace = (storage: RegistryStorage, table: string, row: NewRow): void =>
  write("INSERT OR REPLACE", storage, table, row, "");

function write(verb: string, storage: RegistryStorage, table: string, row: NewRow, conflict: string): void {
  const columns = Object.keys(row);
  const marks = columns.map(() => "?");
  storage.sql(
    `${verb} INTO ${table} ("${columns.join('", "')}") VALUES (${marks}) ${conflict}`,
    ...Object.values(row),
  );
}

/** The octets of a column. SQLite gives each row a buffer of its own, so a view is enough. */
export const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer);
