/** The steps from one schema version to the next. */
import { beforeEach, describe, expect, it } from "vitest";
import type { RegistryStorage } from "../../src/registry/ports.ts";
import { type Migration, migrate, SCHEMA, schemaFault } from "../../src/registry/schema.ts";
import { RegistryObject } from "../../testing/registry-object.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";

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

  it("is reached by the steps that a state lacks, in their order, and once", () => {
    migrate(storage, [...first, step("second"), step("third")]);
    migrate(storage, [...first, step("second"), step("third")]);
    expect(run).toEqual(["second", "third"]);
    migrate(storage, [...first, step("second"), step("third"), step("fourth")]);
    expect(run).toEqual(["second", "third", "fourth"]);
    expect(version()).toBe(SCHEMA + 3);
  });

  it("stays where it was where a step fails, with all that came before in the same run", () => {
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
