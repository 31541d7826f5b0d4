/* Counters of a Registry: at most one row a minute, bounded, kept for a day, and never a cause of failure. */
import { expect, it } from "vitest";
import type { Asked, Count } from "../../src/api/index.ts";
import { newSketch, packSketch, toBase64Url } from "../../src/directory/index.ts";
import { Counters } from "../../src/registry/log/counters.ts";
import type { RegistryStorage } from "../../src/registry/ports.ts";
import { SCHEMA } from "../../src/registry/storage/schema.ts";
import { RegistryObject } from "../../testing/registry-object.ts";
import { VirtualTime } from "../../testing/virtual-time.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function begin(fault: (statement: string) => void = () => undefined) {
  const clock = new VirtualTime();
  const object = new RegistryObject({ clock, alarm: async () => undefined, alarmDelay: () => 0 });
  const writes: string[] = [];
  const storage: RegistryStorage = {
    ...object.storage(),
    sql: (statement, ...bindings) => {
      if (!statement.startsWith("SELECT")) writes.push(statement.split(" ", 1)[0] as string);
      fault(statement);
      return object.storage().sql(statement, ...bindings);
    },
  };
  const fresh = (): Counters => new Counters(storage, { clock, timers: clock });
  return { clock, writes, fresh, object };
}

const ONE: Count = ["a.example", "enforce", "unknown", 1];

it("writes at most one packed row a minute, however many isolates count", async () => {
  const { clock, writes, fresh } = begin();
  const counters = fresh();
  for (let second = 0; second < 3600; second++) {
    for (let isolate = 0; isolate < 5; isolate++)
      counters.add([ONE, ["b.example", "fault", "key_mismatch", 2]]);
    await clock.advance(SECOND);
  }
  expect(writes.filter((each) => each === "INSERT").length).toBeLessThanOrEqual(60);
  // A new row of ten minutes deletes old ones.
  expect(writes.filter((each) => each === "DELETE").length).toBeLessThanOrEqual(7);
  expect([...counters.read()].sort()).toEqual([
    ["a.example", "enforce", "unknown", 18_000, 18_000],
    ["b.example", "fault", "key_mismatch", 36_000, 36_000],
  ]);
});

it("survives its object except for a minute, and forgets after an hour and a day", async () => {
  const { clock, fresh } = begin();
  fresh().add([ONE]);
  expect(fresh().read()).toEqual([]);
  await clock.advance(MINUTE);
  const next = fresh();
  next.add([ONE]);
  expect(next.read()).toEqual([["a.example", "enforce", "unknown", 2, 2]]);
  await clock.advance(2 * HOUR);
  expect(fresh().read()).toEqual([["a.example", "enforce", "unknown", 0, 2]]);
  await clock.advance(24 * HOUR);
  expect(fresh().read()).toEqual([]);
});

it("combines domains past the limit into one count, and loses none", async () => {
  const { clock, fresh } = begin();
  const counters = fresh();
  for (let i = 0; i < 10_000; i++) counters.add([[`d${i}.example`, "enforce", "unknown", 1]]);
  await clock.advance(2 * MINUTE);
  const counted = fresh().read();
  expect(counted.length).toBeLessThanOrEqual(2_001);
  expect(counted.reduce((sum, [, , , , day]) => sum + day, 0)).toBe(10_000);
  expect(counted.find(([domain]) => domain === "")).toBeDefined();
});

it("never fails a request that carries counts, if a row cannot be written or the counts are not understood", async () => {
  const { clock, fresh } = begin((statement) => {
    if (statement.startsWith("INSERT")) throw new Error("disk full");
  });
  const counters = fresh();
  counters.add([ONE]);
  await clock.advance(5 * MINUTE);
  counters.add("what is this" as unknown as Count[]);
  counters.add({} as unknown as Count[]);
  expect(counters.read()).toEqual([]);
  counters.add([ONE]);
  await clock.advance(5 * MINUTE);
});

it.each([
  [1, 1],
  [2, 0],
])("with data %i versions ahead writes %i rows", async (ahead, rows) => {
  const { clock, fresh, object } = begin();
  object.sql("UPDATE meta SET value = ? WHERE name = 'schema'", SCHEMA + ahead);
  fresh().add([ONE]);
  await clock.advance(5 * MINUTE);
  expect(object.sql("SELECT * FROM counters")).toHaveLength(rows);
});

it("has sketches of 200 domains at most, in a row and of a day", async () => {
  const { clock, fresh, object } = begin();
  const packed = toBase64Url(packSketch(Uint8Array.from(newSketch(), (_, i) => (i === 0 ? 3 : 0))));
  const domains = (from: number): Asked[] =>
    Array.from({ length: 150 }, (_, i): Asked => [`d${from + i}.example`, 0, packed]);
  const counters = fresh();
  counters.add([], domains(0));
  counters.add([], domains(150));
  expect(counters.refused().size).toBe(200);
  await clock.advance(MINUTE);
  const [row] = object.sql("SELECT refused FROM counters");
  expect(JSON.parse(row?.refused as string)).toHaveLength(200);
  counters.add([], domains(300));
  expect(counters.refused().size).toBe(200);
});
