import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GuardCase, guardRefusal } from "../../src/directory/guard.ts";
import { forAll } from "./helpers.ts";

interface Loss extends Partial<GuardCase> {
  /** Null where names cannot be compared. */
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
  it("lets go what is within the share, and no name more", () => {
    expect(guard({ lost: 0 })).toBeNull();
    expect(guard({ lost: 200 })).toBeNull();
    expect(guard({ lost: 201 })).toBe("would refuse 201 of 1000 names (20.1 %), more than 20 %");
    expect(guard({ accepted: 10, lost: 2 })).toBeNull();
    expect(guard({ accepted: 10, lost: 3 })).toMatch(/3 of 10/);
  });

  it("says its share in a number that people write", () => {
    expect(guard({ share: 0.07, lost: 71 })).toMatch(/more than 7 %$/);
    expect(guard({ share: 0.29, lost: 291 })).toMatch(/more than 29 %$/);
    expect(guard({ share: 0.125, lost: 126 })).toMatch(/more than 12.5 %$/);
  });

  it("lets exactly the share go, however the share is written in binary", () => {
    for (let percent = 1; percent <= 99; percent++) {
      const share = percent / 100;
      for (const accepted of [100, 1_000, 10_000_000]) {
        const lost = (accepted * percent) / 100;
        expect(guard({ accepted, share, lost }), `${percent} % of ${accepted}`).toBeNull();
        expect(guard({ accepted, share, lost: lost + 1 }), `${percent} % of ${accepted}`).not.toBeNull();
      }
    }
  });

  it("counts names, not totals: a list of the same size may have lost everybody", () => {
    expect(guard({ accepted: 1_000, lost: 900, remaining: 1_000 })).toMatch(/900 of 1000/);
    expect(guard({ accepted: 1_000, lost: 1_000, remaining: 5_000 })).toBe("would refuse all 1000 names");
  });

  it("lets one name go from a list of any size, unless it is the last", () => {
    for (const accepted of [2, 3, 4, 1_000]) expect(guard({ accepted, lost: 1 })).toBeNull();
    expect(guard({ accepted: 2, lost: 1, share: 0 })).toBeNull();
    expect(guard({ accepted: 3, lost: 2 })).not.toBeNull();
    expect(guard({ accepted: 1, lost: 1 })).toBe("would refuse all 1 names");
    // Replaced, not only gone: everybody who was accepted is refused.
    expect(guard({ accepted: 1, lost: 1, remaining: 3 })).toBe("would refuse all 1 names");
  });

  it("never lets all names go, though the share were all of them", () => {
    expect(guard({ lost: 1_000, share: 1 })).toBe("would refuse all 1000 names");
    expect(guard({ lost: 1_000, remaining: 7, share: 1 })).toBe("would refuse all 1000 names");
    expect(guard({ lost: 999, share: 1 })).toBeNull();
  });

  it("refuses an empty list, also where nothing was before, unless it may be empty", () => {
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

  it("refuses what cannot be compared, and gives both totals", () => {
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
  });

  it("lets by what makes no list worse, so that there is a way back from a list that lost too much", () => {
    expect(beside(500, 200, 200)).toBeNull();
    expect(beside(500, 200, 199)).toBeNull();
    expect(beside(500, 200, 201)).not.toBeNull();
  });

  it("lets one name go from an older list of one, since the newest keeps another", () => {
    expect(beside(1, 0, 1)).toBeNull();
    expect(beside(2, 0, 2)).not.toBeNull();
  });

  it("agrees with its law for any numbers", () => {
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
