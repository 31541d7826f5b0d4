/* Nothing of a domain stays once its tombstone and its history are pruned. */
import { expect, it } from "vitest";
import { rememberResult } from "../../src/registry/changes/patch-keys.ts";
import { noteHeld } from "../../src/registry/names/held-names.ts";
import { insert, replace } from "../../src/registry/storage/rows.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR } from "../../testing/world.ts";
import { D, Desk } from "./support.ts";

/** Faults that were found stay until a person has seen to them. */
const STAYS = ["damages"];

it("no table has a row of it, but for what a person is to see", async () => {
  const desk = await new Desk().open();
  const { storage } = desk.world.registry();
  const now = desk.world.clock.now();
  await desk.publish(people(3_000), { bits: 2 });
  await desk.publish(people(2_900, 50), { bits: 2 });
  await desk.core.grantKey(D, "tester");
  const name = { domain: D, fingerprint: new Uint8Array(16), was: 0, state: -1, number: 1, at_once: null };
  insert(storage, "patched_names", name);
  insert(storage, "settled_names", { ...name, seq: 1, ended: 2, holds: 1 });
  insert(storage, "forgotten_names", { domain: D, ended: 1_000_000 });
  insert(storage, "kv_replaced", { domain: D, id: "ab", since: now });
  insert(storage, "left_blobs", { domain: D, id: "ab", number: 1, since: now });
  insert(storage, "uploads", { domain: D, id: "ab", made_by: "t1", bytes: 9, expires: now + DAY });
  replace(storage, "usage", { domain: D, bytes: 9, measured: now });
  const result = { domain: D, generation: 2, added: 0, removed: 1, changed: 0, unlisted: [] };
  rememberResult(storage, { key: "k", digest: "d" }, result as never, now);
  noteHeld(storage, D, 3);
  const tables = storage
    .sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    .map((row) => row.name as string)
    .filter((table) => storage.sql(`PRAGMA table_info(${table})`).some((column) => column.name === "domain"))
    .filter((table) => !STAYS.includes(table));
  const withRows = (): string[] =>
    tables.filter((table) => storage.sql(`SELECT 1 FROM ${table} WHERE domain = ? LIMIT 1`, D).length > 0);
  expect(tables.filter((table) => !withRows().includes(table))).toEqual(["blob_spans"]);
  await desk.world.clock.advance(2 * HOUR);
  await desk.remove();
  for (let day = 0; day < 70; day++) await desk.world.clock.advance(DAY);
  expect(withRows()).toEqual([]);
});
