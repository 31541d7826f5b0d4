/* What is remembered of all domains is bounded, and making room for more is not the work of every minute. */
import { expect, it, vi } from "vitest";
import { newSketch, packSketch, toBase64Url } from "../../src/directory/index.ts";
import { DaySketch } from "../../src/registry/names/day-sketch.ts";
import { LeaverCounts } from "../../src/registry/names/leaver-counts.ts";
import type { RegistryStorage, SqlValue } from "../../src/registry/ports.ts";

const MINUTE = 60_000;
const GROUP = 300_000;
/** All 256 ranks: two million are those of 7,812 domains. */
const full = newSketch().fill(7);

const storage = {
  sql: (query: string, ...values: SqlValue[]) =>
    query.includes("FROM heads")
      ? (JSON.parse(values[0] as string) as string[]).map((domain) => ({ domain, groups: `300 ${GROUP}` }))
      : [],
} as unknown as RegistryStorage;

it("makes room for many minutes at once", () => {
  let now = 1_800_000_000_000;
  const counts = new LeaverCounts(storage, { now: () => now });
  const packed = toBase64Url(packSketch(full));
  const looks = vi.spyOn(DaySketch.prototype, "size", "get");
  /** Counts names of some domains in a minute. @returns how often it was looked at how much is remembered of a domain */
  const minute = (from: number, to: number): number => {
    looks.mockClear();
    for (let i = from; i < to; i++) counts.add([[`d${i}.example`, GROUP, packed]]);
    now += MINUTE;
    const day = counts.write(() => expect.fail("nothing is damaged"));
    expect(day.size).toBe(to - from);
    return looks.mock.calls.length;
  };
  minute(0, 7_800);
  // Past the bound: all are looked at once. Until they are needed again, only those of which something is counted.
  expect(minute(7_800, 7_900)).toBeLessThan(9_000);
  for (let from = 7_900; from < 8_100; from += 20) expect(minute(from, from + 20)).toBe(40);
});

it("reads what was counted before a restart in parts, the newest first", () => {
  const packed = toBase64Url(packSketch(full));
  const rows = Array.from({ length: 100 }, (_, i) => ({
    minute: 30_000_000 + i,
    part: 0,
    packed: JSON.stringify(Array.from({ length: 80 }, (_, line) => [`d${i}-${line}.example`, GROUP, packed])),
  }));
  const read: number[] = [];
  const stored = {
    sql: (query: string, ...values: SqlValue[]) => {
      if (query.startsWith("SELECT minute")) return rows.map(({ minute, part }) => ({ minute, part }));
      if (!query.startsWith("SELECT packed")) return storage.sql(query, ...values);
      read.push(values[0] as number);
      return rows.filter(({ minute }) => minute === values[0]);
    },
  } as unknown as RegistryStorage;
  const counts = new LeaverCounts(stored, { now: () => 30_000_100 * MINUTE });
  const inEach: number[] = [];
  while (read.length < rows.length) {
    const before = read.length;
    counts.add([["now.example", GROUP, packed]]);
    counts.write(() => expect.fail("nothing is damaged"));
    inEach.push(read.length - before);
  }
  expect(read).toEqual(rows.map(({ minute }) => minute).toReversed());
  // Rows of about 57 kB, and a megabyte at once.
  expect(Math.max(...inEach)).toBeLessThan(25);
});
