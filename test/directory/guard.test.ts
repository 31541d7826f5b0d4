import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GuardCase, guardRefusal } from "../../src/directory/guard/guard.ts";
import { forAll } from "./helpers.ts";

interface Loss extends Partial<GuardCase> {
  /** Null if names cannot be compared. */
  readonly lost?: number | null;
}

/** The guard's word on a commit that loses some of the head's thousand names, with some of it otherwise. */
const guard = ({ lost = 0, ...changes }: Loss = {}): string | null => {
  const { accepted = 1_000 } = changes;
  const head = { generation: 7, accepted, lostBefore: 0, lost: lost ?? 0 };
  return guardRefusal({
    lists: lost === null ? null : [head],
    accepted,
    remaining: accepted - (lost ?? 0),
    uncountable: [],
    mayBeEmpty: false,
    hasPatterns: false,
    share: 0.2,
    ...changes,
  });
};

/** A list of the day beside a head of a thousand names that loses none. */
const beside = (accepted: number, lostBefore: number, lost: number, share = 0.2): string | null =>
  guard({
    share,
    lists: [
      { generation: 3, accepted, lostBefore, lost },
      { generation: 7, accepted: 1_000, lostBefore: 0, lost: 0 },
    ],
  });

describe("the guard", () => {
  it("allows losses within the share, and not one name more", () => {
    expect(guard({ lost: 0 })).toBeNull();
    expect(guard({ lost: 200 })).toBeNull();
    expect(guard({ lost: 201 })).toBe("would refuse 201 of 1000 names (20.1 %), more than 20 %");
    expect(guard({ accepted: 10, lost: 2 })).toBeNull();
    expect(guard({ accepted: 10, lost: 3 })).toMatch(/3 of 10/);
  });

  it("allows a first list of patterns alone, and no list that loses its last names for them", () => {
    const first = { accepted: 0, remaining: 0, lists: [] };
    expect(guard(first)).toBe("is empty: every recipient would be refused");
    expect(guard({ ...first, hasPatterns: true })).toBeNull();
    expect(guard({ accepted: 3, lost: 3, hasPatterns: true })).toBe("would refuse all 3 names");
    // Also where the newest list lost all of its names before.
    expect(guard({ accepted: 3, remaining: 0, lists: [], hasPatterns: true })).toMatch(/all 3 names/);
  });

  it("prints its share as a short decimal number", () => {
    expect(guard({ share: 0.07, lost: 71 })).toMatch(/more than 7 %$/);
    expect(guard({ share: 0.29, lost: 291 })).toMatch(/more than 29 %$/);
    expect(guard({ share: 0.125, lost: 126 })).toMatch(/more than 12.5 %$/);
  });

  it("allows exactly the share, in spite of floating-point rounding", () => {
    for (let percent = 1; percent <= 99; percent++) {
      const share = percent / 100;
      for (const accepted of [100, 1_000, 10_000_000]) {
        const lost = (accepted * percent) / 100;
        expect(guard({ accepted, share, lost }), `${percent} % of ${accepted}`).toBeNull();
        expect(guard({ accepted, share, lost: lost + 1 }), `${percent} % of ${accepted}`).not.toBeNull();
      }
    }
  });

  it("counts names, not totals: a list of the same size may have lost every name", () => {
    expect(guard({ accepted: 1_000, lost: 900, remaining: 1_000 })).toMatch(/900 of 1000/);
    expect(guard({ accepted: 1_000, lost: 1_000, remaining: 5_000 })).toBe("would refuse all 1000 names");
  });

  it("allows one name to go from a list of any size, unless it is the last", () => {
    for (const accepted of [2, 3, 4, 1_000]) expect(guard({ accepted, lost: 1 })).toBeNull();
    expect(guard({ accepted: 2, lost: 1, share: 0 })).toBeNull();
    expect(guard({ accepted: 3, lost: 2 })).not.toBeNull();
    expect(guard({ accepted: 1, lost: 1 })).toBe("would refuse the only name");
    // Replaced, not only gone: everybody who was accepted is refused.
    expect(guard({ accepted: 1, lost: 1, remaining: 3 })).toBe("would refuse the only name");
  });

  it("never allows all names to go, even with a share of 1", () => {
    expect(guard({ lost: 1_000, share: 1 })).toBe("would refuse all 1000 names");
    expect(guard({ lost: 1_000, remaining: 7, share: 1 })).toBe("would refuse all 1000 names");
    expect(guard({ lost: 999, share: 1 })).toBeNull();
  });

  it("refuses an empty list, even if there was none before, unless it may be empty", () => {
    expect(guard({ accepted: 0 })).toBe("is empty: every recipient would be refused");
    expect(guard({ accepted: 0, mayBeEmpty: true })).toBeNull();
    expect(guard({ accepted: 0, lost: 0, remaining: 4 })).toBeNull();
    // A catch-all makes an empty list possible, but not the loss of a thousand named ones.
    expect(guard({ lost: 1_000, mayBeEmpty: true })).not.toBeNull();
  });

  it("refuses any policy change whose effect cannot be counted, and names it", () => {
    expect(guard({ uncountable: ["catchall"] })).toMatch(/^changes catchall, /);
    expect(guard({ uncountable: ["case", "dots"], lost: null })).toMatch(/^changes case, dots, /);
    expect(guard({ uncountable: ["delimiters"], accepted: 0, remaining: 3 })).toMatch(/cannot be counted/);
  });

  it("refuses lists that cannot be compared, and gives both totals", () => {
    expect(guard({ lost: null, accepted: 40, remaining: 39 })).toMatch(/key or spelling.*40.*39/);
    expect(guard({ lost: null, accepted: 40, remaining: 0 })).not.toBeNull();
  });

  it("judges every list of the day, and names the one that loses most", () => {
    expect(beside(500, 90, 100)).toBeNull();
    expect(beside(500, 90, 101)).toBe(
      "would refuse 101 of 500 names of generation 3, which was live in the last 24 h (20.2 %), more than 20 %",
    );
    expect(beside(500, 90, 500, 1)).toMatch(/^would refuse all 500 names of generation 3/);
    const lists = [10, 30, 20].map((lost, i) => ({ generation: i + 1, accepted: 40, lostBefore: 0, lost }));
    expect(guard({ lists })).toMatch(/^would refuse 30 of 40 names of generation 2/);
    const same = [1, 2, 3].map((generation) => ({
      generation,
      accepted: 40,
      lostBefore: 0,
      lost: generation === 3 ? 0 : 30,
    }));
    expect(guard({ lists: same })).toMatch(/names of generation 2,/);
  });

  it("allows what makes no list worse, so that too large a loss can be undone", () => {
    expect(beside(500, 200, 200)).toBeNull();
    expect(beside(500, 200, 199)).toBeNull();
    expect(beside(500, 200, 201)).not.toBeNull();
  });

  it("allows an older list of one name to lose it, since the newest list keeps another", () => {
    expect(beside(1, 0, 1)).toBeNull();
    expect(beside(2, 0, 2)).not.toBeNull();
  });

  it("agrees with law 4 for any numbers", () => {
    const numbers = fc
      .tuple(fc.integer({ min: 1, max: 50 }), fc.nat(50), fc.nat(50), fc.integer({ min: 0, max: 100 }))
      .map(([accepted, lost, added, percent]) => ({
        accepted,
        lost: Math.min(lost, accepted),
        added,
        percent,
      }));
    forAll(
      [numbers],
      ({ accepted, lost, added, percent }) => {
        const remaining = accepted - lost + added;
        const lawful = remaining > 0 && lost < accepted && (lost <= 1 || lost * 100 <= percent * accepted);
        expect(guard({ accepted, lost, remaining, share: percent / 100 }) === null).toBe(lawful);
      },
      { numRuns: 3_000 },
    );
  });
});
