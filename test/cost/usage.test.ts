import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Assumptions,
  DAYS_PER_MONTH,
  FEW_ISOLATES,
  MANY_ISOLATES,
  SECONDS_PER_MONTH,
} from "../../bench/cost/assumptions.ts";
import { type Design, distinct, keyPerMailbox, ours, shapeOf } from "../../bench/cost/usage.ts";
import { ROUND } from "./counts.ts";

/** One isolate that lives for ever, asked once a second; ten changes a day in one publish. */
const SIMPLE: Assumptions = {
  ...FEW_ISOLATES,
  isolates: 1,
  coldStartsPerDay: 0,
  idleLife: 1e12,
  changesPerDay: 10,
  publishesPerDay: 1,
};
const ONCE_A_SECOND = SECONDS_PER_MONTH;

describe("distinct", () => {
  it.each([
    [0, 5, 0],
    [1, 5, 1],
    [128, 0, 0],
    [128, 1, 1],
    [2, 2, 1.5],
    [3, 2, 5 / 3],
  ])("of %d kinds in %d draws: %d", (kinds, draws, expected) => {
    expect(distinct(kinds, draws)).toBeCloseTo(expected, 10);
  });
});

describe("our design", () => {
  it("asks the Registry once in half a window and the wait for the next request", () => {
    const { refreshes } = shapeOf({ mailboxes: 1000, checks: ONCE_A_SECOND }, SIMPLE, ROUND);
    expect(refreshes).toBeCloseTo(SECONDS_PER_MONTH / 16, 0);
    const seldom = { mailboxes: 1000, checks: ONCE_A_SECOND / 45 };
    expect(shapeOf(seldom, SIMPLE, ROUND).refreshes).toBeCloseTo(SECONDS_PER_MONTH / 60, 0);
    expect(shapeOf({ mailboxes: 1000, checks: 0 }, SIMPLE, ROUND).refreshes).toBe(0);
  });

  it("matches a calculation by hand for a small list", () => {
    const { monthly, firstWrites } = ours({ mailboxes: 1000, checks: ONCE_A_SECOND }, SIMPLE, ROUND);
    // The only shard is in the manifest: manifest and roster.
    expect(firstWrites).toBe(2);
    // A publish is the key, the head, the guard's judgement and one commit.
    expect(monthly.requests).toBeCloseTo(ONCE_A_SECOND + 4 * DAYS_PER_MONTH, 6);
    expect(monthly.cpuMs).toBeCloseTo(ONCE_A_SECOND / 10, 3);
    // Manifest and roster a day, and the roster's 24 heartbeats.
    expect(monthly.kvWrites).toBeCloseTo(DAYS_PER_MONTH * (2 + 24), 6);
    expect(monthly.kvDeletes).toBe(0);
    expect(monthly.kvBytes).toBe(5000);
    // And the manifests of thirty generations, with the list in each.
    expect(monthly.objectBytes).toBeCloseTo(5000 + 30 * 6000, 6);
    // The manifest of each publish, once by the isolate and once by the publisher.
    expect(monthly.kvReads).toBeCloseTo(2 * DAYS_PER_MONTH, 0);
    // Questions; key, head, judgement, commit and an alarm a publish; heartbeats.
    expect(monthly.objectRequests).toBeCloseTo(SECONDS_PER_MONTH / 16 + DAYS_PER_MONTH * (5 + 24), 3);
  });

  it("writes and keeps the changed shards of a large list", () => {
    const a = { ...SIMPLE, changesPerDay: 1 };
    const { monthly, firstWrites } = ours({ mailboxes: 1_048_576, checks: ONCE_A_SECOND }, a, ROUND);
    expect(firstWrites).toBe(1 + 128 + 1);
    expect(monthly.kvWrites).toBeCloseTo(DAYS_PER_MONTH * (3 + 24), 6);
    expect(monthly.kvDeletes).toBeCloseTo(DAYS_PER_MONTH, 6);
    expect(monthly.kvBytes).toBeCloseTo(1_048_576 * 5 + 8192 * 5, 3);
    expect(monthly.objectBytes).toBeGreaterThan(1_048_576 * 5 + 30 * 8192 * 5);
  });

  it("reads each shard once for each cold isolate", () => {
    const size = { mailboxes: 1_048_576, checks: 1e9 };
    const quiet = { ...SIMPLE, changesPerDay: 0 };
    const without = ours(size, quiet, ROUND).monthly.kvReads;
    const withStarts = ours(size, { ...quiet, coldStartsPerDay: 1 }, ROUND).monthly.kvReads;
    // The manifest and 128 shards.
    expect(withStarts - without).toBeCloseTo(DAYS_PER_MONTH * (1 + 128), 3);
  });

  it("reads at most one shard per check if memory is short", () => {
    const size = { mailboxes: 1e8, checks: 1e8 };
    const a = { ...SIMPLE, changesPerDay: 0, cacheBytes: 5e8 / 4 };
    const reads = ours(size, a, ROUND).monthly.kvReads;
    expect(reads).toBeGreaterThanOrEqual(0.75e8);
    expect(ours(size, { ...a, cacheBytes: 1 }, ROUND).monthly.kvReads).toBeCloseTo(1e8, -3);
  });

  it("asks each partition", () => {
    const size = { mailboxes: 1000, checks: ONCE_A_SECOND };
    const one = shapeOf(size, SIMPLE, ROUND).refreshes;
    expect(shapeOf(size, { ...SIMPLE, partitions: 4 }, ROUND).refreshes).toBeCloseTo(4 * one, 6);
  });

  it("starts cold at every check if checks are rare", () => {
    const size = { mailboxes: 1_048_576, checks: 100 };
    const { coldStarts } = shapeOf(size, { ...SIMPLE, idleLife: 60 }, ROUND);
    expect(coldStarts).toBeGreaterThan(99);
    expect(coldStarts).toBeLessThanOrEqual(100);
    // Each of them: manifest, one shard; no more than one question.
    const { kvReads, objectRequests } = ours(
      size,
      { ...SIMPLE, idleLife: 60, changesPerDay: 0 },
      ROUND,
    ).monthly;
    expect(kvReads).toBeCloseTo(200, -1);
    expect(objectRequests).toBeCloseTo(100 + 24 * DAYS_PER_MONTH, 6);
  });

  it("reads the roster of each partition with very many domains, and asks once more", () => {
    const size = { mailboxes: 1_000_000, checks: 1e6 };
    const use = (domains: number) =>
      ours(size, { ...SIMPLE, idleLife: 1, changesPerDay: 0, partitions: 4, domains }, ROUND).monthly;
    const [few, many] = [use(2_000), use(2_001)];
    const { coldStarts } = shapeOf(size, { ...SIMPLE, idleLife: 1 }, ROUND);
    expect(many.kvReads - few.kvReads).toBeCloseTo(4 * coldStarts, -3);
    expect(many.objectRequests).toBeGreaterThan(few.objectRequests);
  });

  it("writes a manifest for each domain", () => {
    const size = { mailboxes: 1_000_000, checks: 0 };
    const { firstWrites } = ours(size, { ...SIMPLE, domains: 100_000 }, ROUND);
    expect(firstWrites).toBe(100_001);
  });
});

describe("one key a mailbox", () => {
  it("reads once per check, and writes once per mailbox and change", () => {
    const { monthly, firstWrites } = keyPerMailbox({ mailboxes: 5000, checks: 7000 }, SIMPLE, ROUND);
    expect(firstWrites).toBe(5000);
    expect(monthly).toMatchObject({ requests: 7000, kvReads: 7000, kvBytes: 200_000, objectRequests: 0 });
    expect(monthly.kvWrites).toBeCloseTo(10 * DAYS_PER_MONTH, 6);
  });
});

describe.each<[string, Design]>([
  ["our design", ours],
  ["one key a mailbox", keyPerMailbox],
])("%s", (_, design) => {
  const mailboxes = fc.integer({ min: 1, max: 100_000_000 });
  const checks = fc.integer({ min: 0, max: 1_000_000_000 });
  const settings = fc.constantFrom(FEW_ISOLATES, MANY_ISOLATES);

  it("never uses less for more checks", () => {
    fc.assert(
      fc.property(
        mailboxes,
        checks,
        fc.double({ min: 1, max: 100, noNaN: true }),
        settings,
        (n, few, times, a) => {
          const fixed = { ...a, isolates: 10, idleLife: 1e12 };
          const [less, more] = [few, few * times].map((each) =>
            design({ mailboxes: n, checks: each }, fixed, ROUND),
          );
          for (const item of ["requests", "cpuMs", "kvReads", "objectRequests", "rowsRead"] as const) {
            const [before, after] = [less?.monthly[item] ?? Number.NaN, more?.monthly[item] ?? Number.NaN];
            expect(after, item).toBeGreaterThanOrEqual(before * (1 - 1e-9) - 1e-6);
          }
        },
      ),
    );
  });

  it("gives finite numbers that are not negative", () => {
    fc.assert(
      fc.property(mailboxes, checks, settings, fc.integer({ min: 1, max: 1000 }), (n, c, a, domains) => {
        const { monthly, firstWrites } = design({ mailboxes: n, checks: c }, { ...a, domains }, ROUND);
        for (const value of [firstWrites, ...Object.values(monthly)]) {
          expect(Number.isFinite(value) && value >= 0, JSON.stringify(monthly)).toBe(true);
        }
      }),
    );
  });
});
