/* Which names that left are counted and judged together. */

import { describe, expect, it } from "vitest";
import type { LeaverGroups } from "../../src/directory/formats/departures.ts";
import { HELD } from "../../src/directory/formats/departures.ts";
import {
  deferredUntil,
  FINEST_GRID,
  groupIn,
  groupDepartures as groupInSteps,
  groupOf,
  isLarge,
  isSuspended,
  NO_GROUPS,
  smallestLarge,
} from "../../src/directory/names/leaver-groups.ts";
import { atOnce } from "../../src/directory/steps.ts";
import { NOW } from "./helpers.ts";

const groupDepartures = (...given: Parameters<typeof groupInSteps>) => atOnce(groupInSteps(...given));

const SECOND = NOW / 1000;
const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Departures of names of which so many are deferred until each second. */
const columns = (gone: Iterable<readonly [second: number, count: number]>) => {
  const until = [...gone].flatMap(([second, count]) => Array.from({ length: count }, () => second));
  return { tails: Float64Array.from(until, (_, i) => i), until: Uint32Array.from(until) };
};
const numbersOf = ({ grid, groups }: LeaverGroups) => ({
  grid,
  ids: new Map(groups.map((it) => [it.id, it])),
});

describe("a second until which names are deferred", () => {
  it("says whether they are many, and whether they were suspended, at most three seconds later", () => {
    for (let ms = 0; ms < 8_000; ms += 500) {
      for (const large of [false, true]) {
        for (const suspended of [false, true]) {
          const second = deferredUntil(NOW + ms, 60, suspended, large);
          expect([isLarge(second), isSuspended(second)]).toEqual([large, suspended]);
          expect(second).toBeGreaterThanOrEqual(SECOND + 60 + ms / 1000);
          expect(second).toBeLessThan(SECOND + 64 + ms / 1000);
        }
      }
    }
    expect(isSuspended(HELD)).toBe(false);
  });

  it("is another one for each large group", () => {
    const taken = { grid: FINEST_GRID, groups: [{ id: SECOND + 62, left: 10, gone: 10, at: SECOND }] };
    expect(deferredUntil(NOW, 60, false, true)).toBe(SECOND + 62);
    expect(deferredUntil(NOW, 60, false, true, taken)).toBe(SECOND + 66);
    expect(deferredUntil(NOW, 60, false, false, taken)).toBe(SECOND + 60);
  });
});

describe("a group", () => {
  it("has its own number if it is large, and else that of its part of the grid", () => {
    expect(groupOf(SECOND + 62, 300)).toBe(SECOND + 62);
    expect(groupOf(SECOND + 4, 300)).toBe(SECOND + 300);
    expect(groupOf(SECOND + 5, 300)).toBe(SECOND + 301);
    expect(groupOf(SECOND + 300, 300)).toBe(SECOND + 300);
    expect(groupOf(SECOND + 301, 300)).toBe(SECOND + 301);
    expect(groupOf(SECOND + 304, HOUR)).toBe(SECOND + HOUR);
  });

  it("is large from ten names on, or a thousandth of the list", () => {
    expect([0, 5_000, 10_000, 300_000].map(smallestLarge)).toEqual([10, 10, 10, 300]);
  });

  it("is found by its number on a finer grid too, and by the one that it had when it was large", () => {
    const numbers = { grid: HOUR, ids: new Set([SECOND + HOUR, SECOND + HOUR + 1, SECOND + 62]) };
    expect(groupIn(numbers, SECOND + HOUR)).toBe(SECOND + HOUR);
    expect(groupIn(numbers, SECOND + 300)).toBe(SECOND + HOUR);
    expect(groupIn(numbers, SECOND + 301)).toBe(SECOND + HOUR + 1);
    expect(groupIn(numbers, SECOND + 62)).toBe(SECOND + 62);
    expect(groupIn(numbers, SECOND + 66)).toBe(SECOND + HOUR);
    expect(groupIn(numbers, SECOND + 67)).toBe(SECOND + HOUR + 1);
    expect(groupIn(numbers, SECOND + HOUR + 4)).toBeNull();
    expect(groupIn(numbers, HELD)).toBeNull();
    expect(groupIn(numbers, 1)).toBeNull();
  });
});

describe("groups of a generation", () => {
  it("know how many left and when, and how many are gone still", () => {
    const until = SECOND + 62;
    const first = groupDepartures(columns([[until, 20]]), NO_GROUPS, [{ until, count: 20 }], NOW).groups;
    expect(first).toEqual({ grid: 300, groups: [{ id: until, left: 20, gone: 20, at: SECOND }] });
    // Some return, and others leave a minute later; what is held is in no group.
    const small = SECOND + 128;
    const next = groupDepartures(
      columns([
        [until, 12],
        [small, 3],
        [HELD, 5],
      ]),
      first,
      [{ until: small, count: 3 }],
      NOW + 60_000,
    ).groups;
    expect(next.groups).toEqual([
      { id: until, left: 20, gone: 12, at: SECOND },
      { id: SECOND + 300, left: 3, gone: 3, at: SECOND + 60 },
    ]);
    // Those of one part of the grid left at a time between, by how many they are.
    const more = columns([
      [small, 3],
      [small + 60, 1],
    ]);
    const last = groupDepartures(more, next, [{ until: small + 60, count: 1 }], NOW + 120_000).groups;
    expect(last.groups).toEqual([{ id: SECOND + 300, left: 4, gone: 4, at: SECOND + 75 }]);
  });

  it("have those who leave beside those who returned, in order of their numbers", () => {
    const small = SECOND + 64;
    const before = { grid: 300, groups: [{ id: SECOND + 300, left: 6, gone: 6, at: SECOND }] };
    const gone = columns([
      [SECOND + 700, 1],
      [small, 4],
      [small + 8, 2],
    ]);
    const leavers = [
      { until: small + 8, count: 2 },
      { until: SECOND + 700, count: 1 },
    ];
    const made = groupDepartures(gone, before, leavers, NOW + 8_000);
    expect(made.columns).toEqual(gone);
    expect(made.groups.groups).toEqual([
      { id: SECOND + 300, left: 8, gone: 6, at: SECOND + 2 },
      { id: SECOND + 900, left: 1, gone: 1, at: SECOND + 8 },
    ]);
    // Who returned with all others of a large group is in none.
    const large = { grid: 300, groups: [{ id: SECOND + 62, left: 20, gone: 20, at: SECOND }] };
    expect(
      groupDepartures(columns([[small, 1]]), large, [{ until: small, count: 1 }], NOW).groups.groups,
    ).toEqual([{ id: SECOND + 300, left: 1, gone: 1, at: SECOND }]);
  });

  it("are 64 on the finest grid, and on the next one if there is one more", () => {
    const made = (count: number) => {
      const seconds = Array.from({ length: count }, (_, i) => SECOND + 300 * i);
      return groupDepartures(columns(seconds.map((it) => [it, 1])), NO_GROUPS, [], NOW).groups;
    };
    expect([made(64).grid, made(64).groups.length]).toEqual([300, 64]);
    expect([made(65).grid, made(65).groups.length]).toEqual([HOUR, 7]);
  });

  it("begin now if nobody knows when they left", () => {
    const { groups } = groupDepartures(columns([[SECOND - 100, 4]]), NO_GROUPS, [], NOW);
    expect(groups.groups).toEqual([{ id: groupOf(SECOND - 100, 300), left: 4, gone: 4, at: SECOND }]);
  });

  it("are on a coarser grid where there are many, so that numbers from before are found", () => {
    const leave = (grid: number, step: number, count: number, before: LeaverGroups) => {
      const seconds = Array.from({ length: count }, (_, i) => 4 * Math.ceil((SECOND + i * step) / 4));
      const made = groupDepartures(columns(seconds.map((it) => [it, 1])), before, [], NOW).groups;
      expect([made.grid, made.groups.length <= 65]).toEqual([grid, true]);
      for (const second of seconds)
        for (const each of [300, HOUR, DAY].filter((it) => it <= grid))
          expect(groupIn(numbersOf(made), groupOf(second, each))).toBe(groupOf(second, grid));
      expect(made.groups.reduce((sum, { gone }) => sum + gone, 0)).toBe(count);
      return made;
    };
    const few = leave(300, 300, 60, NO_GROUPS);
    const more = leave(HOUR, 300, 300, few);
    // A month.
    const most = leave(DAY, 1_000, 2_600, more);
    // What was counted on a coarser grid cannot be told apart.
    leave(DAY, 300, 10, most);
    // Until they are gone.
    const others = columns([[SECOND + 90 * DAY, 1]]);
    expect(groupDepartures(others, most, [], NOW).groups.grid).toBe(300);
  });

  it("are 64 large ones at most: the smallest go on the grid, with their names", () => {
    const seconds = Array.from({ length: 70 }, (_, i) => SECOND + 2 + 4 * i);
    const gone = columns(seconds.map((second, i) => [second, i + 10]));
    const before = {
      grid: 300,
      groups: seconds.map((id, i) => ({ id, left: i + 10, gone: i + 10, at: SECOND })),
    };
    const { columns: moved, groups } = groupDepartures(gone, before, [], NOW);
    expect(groups.groups.filter(({ id }) => isLarge(id)).map(({ id }) => id)).toEqual(seconds.slice(6));
    expect(groups.groups.find(({ id }) => id === SECOND + 300)).toMatchObject({ left: 75, gone: 75 });
    expect([...new Set(moved.until)].slice(0, 7)).toEqual([
      ...seconds.slice(0, 6).map((second) => second + 2),
      seconds[6],
    ]);
    expect(groupIn(numbersOf(groups), seconds[0] as number)).toBe(SECOND + 300);
  });
});
