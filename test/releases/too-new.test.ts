/** The alarm of a Registry whose data is two versions ahead of the code. */
import { expect, it } from "vitest";
import { SCHEMA } from "../../src/registry/storage/schema.ts";
import { people } from "../../testing/lists.ts";
import { MINUTE, World } from "../../testing/world.ts";

it("changes nothing and is set again, so that a newer release finds its work", async () => {
  const world = new World();
  await world.publish(world.isolate(), "example.com", people(5));
  await world.clock.advance(MINUTE);
  const registry = world.registry();
  const setVersion = (version: number) =>
    registry.sql("UPDATE meta SET value = ? WHERE name = 'schema'", version);
  const tables = () =>
    registry
      .sql("SELECT name FROM sqlite_master WHERE type = 'table'")
      .map(({ name }) => [name, registry.sql(`SELECT * FROM ${name}`)]);
  const waiting = () => registry.sql("SELECT domain FROM heads WHERE kv_number < number");

  setVersion(SCHEMA + 2);
  registry.sql("UPDATE heads SET kv_number = 0");
  expect(waiting()).toHaveLength(1);
  const before = tables();
  const { alarmRuns } = registry;
  // As the alarm runs that was set before.
  await world.clock.run(registry.core({ partition: 0, partitions: 1 }).alarm());
  await world.clock.advance(10 * MINUTE);
  expect(registry.alarmRuns - alarmRuns).toBeGreaterThanOrEqual(10);
  expect(tables()).toEqual(before);

  setVersion(SCHEMA + 1);
  await world.clock.advance(2 * MINUTE);
  expect(waiting()).toEqual([]);
});
