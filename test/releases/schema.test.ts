/** The steps from one schema version to the next. */
import { DatabaseSync } from "node:sqlite";
import { beforeEach, describe, expect, it } from "vitest";
import type { RegistryStorage, SqlRow } from "../../src/registry/ports.ts";
import { type Migration, migrate, SCHEMA, schemaFault } from "../../src/registry/storage/schema.ts";
import { RegistryObject } from "../../testing/registry-object.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";
import { readRelease, storedReleases } from "./support/stored-release.ts";

describe("a schema", () => {
  let storage: RegistryStorage;
  const run: string[] = [];
  const step = (name: string, work = (): unknown => undefined): Migration => ({
    name,
    run(storage) {
      run.push(name);
      storage.sql(`CREATE TABLE ${name} (value)`);
      work();
    },
  });
  const first = Array.from({ length: SCHEMA }, (_, i) => step(`first${i}`));
  const version = () => storage.sql("SELECT value FROM meta WHERE name = 'schema'")[0]?.value;
  const hasTable = (name: string) =>
    storage.sql("SELECT name FROM sqlite_master WHERE name = ?", name).length > 0;

  beforeEach(() => {
    run.length = 0;
    const object = new RegistryObject({
      clock: new VirtualTime(),
      alarm: async () => undefined,
      alarmDelay: () => 0,
    });
    storage = object.storage();
  });

  it("is stored with a new state", () => {
    expect(version()).toBe(SCHEMA);
    expect(schemaFault(storage)).toBeNull();
  });

  it("is reached by the missing steps, in order, each once", () => {
    migrate(storage, [...first, step("second"), step("third")]);
    migrate(storage, [...first, step("second"), step("third")]);
    expect(run).toEqual(["second", "third"]);
    migrate(storage, [...first, step("second"), step("third"), step("fourth")]);
    expect(run).toEqual(["second", "third", "fourth"]);
    expect(version()).toBe(SCHEMA + 3);
  });

  it("is unchanged if a step fails, including earlier steps of the same run", () => {
    const failing = step("third", () => {
      throw new Error("no room");
    });
    expect(() => migrate(storage, [...first, step("second"), failing])).toThrow("no room");
    expect(version()).toBe(SCHEMA);
    expect([hasTable("second"), hasTable("third")]).toEqual([false, false]);
  });

  it("of a later release is left as it is", () => {
    migrate(storage, [...first, step("second")]);
    migrate(storage, first);
    expect(run).toEqual(["second"]);
    expect(version()).toBe(SCHEMA + 1);
  });

  it.each([
    [1, null],
    [2, "unavailable"],
    [7, "unavailable"],
  ])("%i ahead is answered from, or refused with %s", (ahead, code) => {
    storage.sql("UPDATE meta SET value = ? WHERE name = 'schema'", SCHEMA + ahead);
    expect(schemaFault(storage)?.code ?? null).toBe(code);
  });
});

describe.each(storedReleases())("from the schema of release %s", (name) => {
  const { master, rows } = readRelease(name).tables;

  it("this one is one version ahead at most", () => {
    const stored = (rows.meta?.find((row) => row.name === "schema")?.value ?? 0) as number;
    expect([stored, stored + 1]).toContain(SCHEMA);
  });

  it("this one only adds: what that release knows stays, and what it does not know may be null", () => {
    const database = new DatabaseSync(":memory:");
    const sql = (statement: string, ...bindings: (string | number)[]): SqlRow[] =>
      database.prepare(statement).all(...bindings) as SqlRow[];
    const tables = master.filter(({ type }) => type === "table").map((it) => it.name);
    const columnsOf = (table: string): SqlRow[] =>
      sql(`SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('${table}')`);
    for (const statement of master) database.exec(statement.sql);
    const before = tables.map(columnsOf);

    migrate({ sql, transaction: (work) => work(), setAlarm: () => undefined } as RegistryStorage);
    for (const [i, table] of tables.entries()) {
      const known = before[i] as SqlRow[];
      const after = columnsOf(table);
      expect(after.slice(0, known.length)).toEqual(known);
      for (const column of after.slice(known.length)) expect(column.notnull).toBe(0);
    }
    for (const { type, name, sql: made } of master.filter((it) => it.type !== "table")) {
      expect(sql("SELECT sql FROM sqlite_master WHERE type = ? AND name = ?", type, name)).toEqual([
        { sql: made },
      ]);
    }
  });
});
