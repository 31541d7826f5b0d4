import { describe, expect, it } from "vitest";
import { HELD } from "../../src/directory/formats/departures.ts";
import { ACTIVE, DISABLED, FULL, MOVED } from "../../src/directory/formats/shard.ts";
import { comparePatterns, losesByPattern, patternsAfter } from "../../src/directory/names/pattern-changes.ts";
import { NOW, packShard } from "./helpers.ts";

const SECOND = NOW / 1000;
const NONE = -1;

/** A table of one pattern, in a state; none if it is not listed. */
const one = (state: number): Uint8Array | null =>
  state === NONE ? null : packShard(new Map([[7, state]]), 0);

describe("patterns of two lists", () => {
  it("differ by those that only one has, and by their states", () => {
    const before = packShard(
      new Map([
        [1, ACTIVE],
        [2, ACTIVE],
        [3, FULL],
      ]),
      0,
    );
    const after = packShard(
      new Map([
        [2, DISABLED],
        [3, FULL],
        [4, MOVED],
      ]),
      0,
    );
    const seen: number[][] = [];
    comparePatterns(before, after, (...args) => seen.push(args));
    expect(seen).toEqual([
      [1, ACTIVE, NONE],
      [2, ACTIVE, DISABLED],
      [4, NONE, MOVED],
    ]);
    comparePatterns(null, null, () => expect.fail("differs"));
  });

  it.each<[string, number, number, boolean]>([
    ["one that accepts goes", ACTIVE, NONE, true],
    ["one that defers goes", FULL, NONE, true],
    ["one that refuses goes", DISABLED, NONE, false],
    ["one that accepts refuses", ACTIVE, MOVED, true],
    ["one that accepts defers", ACTIVE, FULL, false],
    ["one that refuses accepts", DISABLED, ACTIVE, false],
    ["one that refuses says why otherwise", DISABLED, MOVED, false],
    ["a new one accepts", NONE, ACTIVE, false],
    ["a new one defers", NONE, FULL, false],
    ["a new one refuses", NONE, DISABLED, true],
    ["nothing changes", ACTIVE, ACTIVE, false],
  ])("may lose names that nobody can count: %s", (_, before, after, loses) => {
    expect(losesByPattern(one(before), one(after))).toBe(loses);
  });

  it("may lose names if any of them does", () => {
    const before = packShard(
      new Map([
        [1, ACTIVE],
        [2, ACTIVE],
      ]),
      0,
    );
    expect(
      losesByPattern(
        before,
        packShard(
          new Map([
            [2, ACTIVE],
            [3, ACTIVE],
          ]),
          0,
        ),
      ),
    ).toBe(true);
  });
});

describe("the patterns of the next generation", () => {
  const table = one(ACTIVE) as Uint8Array;
  const had = (state: number, departedUntil = 0) => ({ table: one(state), departedUntil });

  it("are none if neither list nor departures have any", () => {
    expect(patternsAfter(null, null, NOW, 60)).toBeNull();
    expect(patternsAfter(had(DISABLED), null, NOW, 60)).toBeNull();
    expect(patternsAfter(had(NONE, SECOND), null, NOW, 60)).toBeNull();
  });

  it("are those of the list", () => {
    expect(patternsAfter(null, table, NOW, 60)).toEqual({ table, departedUntil: 0 });
    expect(patternsAfter(had(ACTIVE), table, NOW, 60)).toEqual({ table, departedUntil: 0 });
  });

  it("depart for the grace if they accepted or deferred, and are in the list no more", () => {
    expect(patternsAfter(had(ACTIVE), null, NOW, 60)).toEqual({ table: null, departedUntil: SECOND + 60 });
    expect(patternsAfter(had(FULL), null, NOW + 1, 60)).toEqual({ table: null, departedUntil: SECOND + 64 });
    expect(patternsAfter(had(ACTIVE), null, NOW, 0)).toBeNull();
    expect(patternsAfter(had(FULL), table, NOW, 60)).toEqual({ table, departedUntil: 0 });
  });

  it("depart for the grace if they refuse from now on, also new ones", () => {
    for (const state of [ACTIVE, FULL, NONE])
      expect(patternsAfter(had(state), one(DISABLED), NOW, 60)).toEqual({
        table: one(DISABLED),
        departedUntil: SECOND + 61,
      });
    expect(patternsAfter(had(MOVED), one(DISABLED), NOW, 60)?.departedUntil).toBe(0);
    expect(patternsAfter(had(ACTIVE), one(DISABLED), NOW, 0)?.departedUntil).toBe(0);
  });

  it("are remembered until the last departure ends, or for longer as marks for the brake", () => {
    const before = had(ACTIVE, SECOND + 100);
    expect(patternsAfter(before, null, NOW, 60)).toEqual({ table: null, departedUntil: SECOND + 100 });
    expect(patternsAfter(before, null, NOW, 600)).toEqual({ table: null, departedUntil: SECOND + 600 });
    expect(patternsAfter(before, table, NOW, 0)).toEqual({ table, departedUntil: SECOND + 100 });
    expect(patternsAfter(before, table, NOW + 100_000, 60)).toEqual({ table, departedUntil: 0 });
    const end = NOW + 1_000 * (100 + 40);
    const marks = { marked: 40 };
    expect(patternsAfter(before, table, end - 1, 60, marks)).toEqual({ table, departedUntil: SECOND + 100 });
    expect(patternsAfter(before, table, end, 60, marks)).toEqual({ table, departedUntil: 0 });
    expect(patternsAfter(had(NONE, SECOND + 1), null, NOW, 60)).toEqual({
      table: null,
      departedUntil: SECOND + 1,
    });
  });

  it("depart for as long as the last name that left: they may be of one group", () => {
    const last = SECOND + 63;
    for (const is of [NONE, DISABLED])
      expect(patternsAfter(had(ACTIVE), one(is), NOW, 60, { last })?.departedUntil).toBe(last);
    // Nobody is deferred any more, or no pattern left.
    expect(patternsAfter(had(ACTIVE), null, NOW, 0, { last: SECOND })).toBeNull();
    expect(patternsAfter(had(ACTIVE), table, NOW, 60, { last })?.departedUntil).toBe(0);
  });

  it("are held with the names that the brake holds, until these are released", () => {
    const held = { table: null, departedUntil: HELD };
    expect(patternsAfter(had(NONE, SECOND - 1), null, NOW, 60, { isHeld: true })).toEqual(held);
    expect(patternsAfter(had(ACTIVE), table, NOW, 0, { isHeld: true })).toEqual({
      table,
      departedUntil: HELD,
    });
    expect(patternsAfter(null, null, NOW, 60, { isHeld: true })).toBeNull();
    expect(patternsAfter(had(NONE, HELD), null, NOW, 60, { marked: 40 })).toBeNull();
    expect(patternsAfter(had(ACTIVE, HELD), null, NOW, 60)).toEqual({
      table: null,
      departedUntil: SECOND + 60,
    });
  });
});
