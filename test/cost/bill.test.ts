import { describe, expect, it } from "vitest";
import { DAYS_PER_MONTH, FEW_ISOLATES, MANY_ISOLATES } from "../../bench/cost/assumptions.ts";
import {
  billOf,
  daysToFill,
  firstPublication,
  freePlan,
  historyThatFits,
  isolatesPerObject,
  passedLimits,
} from "../../bench/cost/bill.ts";
import { ITEMS, type Item } from "../../bench/cost/prices.ts";
import { keyPerMailbox, ours, type Usage } from "../../bench/cost/usage.ts";
import { ROUND } from "./counts.ts";

const NOTHING = Object.fromEntries(ITEMS.map((item) => [item, 0])) as Usage;

describe("the bill", () => {
  it("is the subscription for what it includes", () => {
    expect(billOf(NOTHING).total).toBe(5);
    const included = {
      requests: 1e7,
      cpuMs: 3e7,
      kvReads: 1e7,
      kvWrites: 1e6,
      kvBytes: 1e9,
      objectRequests: 1e6,
    };
    expect(billOf({ ...NOTHING, ...included }).total).toBe(5);
  });

  it("matches Cloudflare's own examples", () => {
    // Workers: 100 million requests of 7 ms.
    expect(billOf({ ...NOTHING, requests: 100e6, cpuMs: 700e6 }).total).toBeCloseTo(45.4, 6);
    // Durable Objects: 1.5 million requests, awake for a million seconds; before it is rounded up.
    expect(billOf({ ...NOTHING, objectRequests: 1.5e6, objectGbSeconds: 128_000 }).total).toBeCloseTo(
      5.075,
      6,
    );
  });

  it.each<[Item, number, number]>([
    ["kvReads", 11e6, 0.5],
    ["kvWrites", 2e6, 5],
    ["kvDeletes", 2e6, 5],
    ["kvBytes", 3e9, 1],
    ["objectBytes", 6e9, 0.2],
    ["objectGbSeconds", 1.4e6, 12.5],
    ["rowsRead", 26e9, 1],
    ["rowsWritten", 51e6, 1],
  ])("counts %s beyond what is included", (item, used, dollars) => {
    const { items, total } = billOf({ ...NOTHING, [item]: used });
    expect(items[item]).toBeCloseTo(dollars, 9);
    expect(total).toBeCloseTo(5 + dollars, 9);
  });

  it("of a first publication starts with what other writes leave of the month", () => {
    const monthly = { ...NOTHING, kvWrites: 400_000 };
    expect(firstPublication({ monthly, firstWrites: 600_000 })).toBe(0);
    expect(firstPublication({ monthly, firstWrites: 1_600_000 })).toBeCloseTo(5, 9);
    expect(firstPublication({ monthly: { ...NOTHING, kvWrites: 2e6 }, firstWrites: 1e6 })).toBeCloseTo(5, 9);
  });
});

describe("the free plan", () => {
  const a = { ...FEW_ISOLATES, peakDay: 1, changesPerDay: 0 };
  const at = (checks: number, settings = a) =>
    passedLimits(keyPerMailbox, { mailboxes: 100, checks }, settings, ROUND).map(({ item }) => item);

  it("allows 100,000 requests a day and not one more", () => {
    expect(at(100_000 * DAYS_PER_MONTH)).toEqual([]);
    expect(at(100_001 * DAYS_PER_MONTH)).toEqual(["requests", "kvReads"]);
  });

  it("is measured by the busiest day", () => {
    expect(at(50_000 * DAYS_PER_MONTH, { ...a, peakDay: 2 })).toEqual([]);
    expect(at(50_001 * DAYS_PER_MONTH, { ...a, peakDay: 2 })).toEqual(["requests", "kvReads"]);
  });

  it("allows 1,000 KV writes a day", () => {
    expect(at(0, { ...a, changesPerDay: 1000 })).toEqual([]);
    expect(at(0, { ...a, changesPerDay: 1001 })).toEqual(["kvWrites"]);
  });

  it("allows 10 ms of CPU a request", () => {
    const settings = { ...a, recipientsPerRequest: 100 };
    expect(passedLimits(ours, { mailboxes: 100, checks: 100 }, settings, ROUND)).toEqual([]);
    expect(
      passedLimits(ours, { mailboxes: 100, checks: 100 }, { ...settings, recipientsPerRequest: 101 }, ROUND),
    ).toMatchObject([{ item: "cpu of one request", limit: 10 }]);
  });

  it("allows a Registry that never sleeps", () => {
    const size = { mailboxes: 100, checks: 100_000 * DAYS_PER_MONTH };
    expect(passedLimits(ours, size, { ...a, isolates: 17, awakePerRequest: 1e6 }, ROUND)).toEqual([]);
  });

  it("allows busy isolates up to 100,000 questions a day", () => {
    const size = { mailboxes: 100, checks: 99_999 * DAYS_PER_MONTH };
    const isolates = (count: number) => ({
      ...a,
      isolates: count,
      window: 0.001,
      coldStartsPerDay: 0,
      idleLife: 1e9,
    });
    const passed = passedLimits(ours, size, isolates(5), ROUND).map(({ item }) => item);
    expect(passed).toContain("objectRequests");
    expect(passedLimits(ours, size, { ...isolates(5), window: 30 }, ROUND)).toEqual([]);
  });

  it("gives the most that fits, so that one more does not", () => {
    for (const [design, settings] of [
      [ours, MANY_ISOLATES],
      [ours, FEW_ISOLATES],
      [keyPerMailbox, FEW_ISOLATES],
    ] as const) {
      const { checks, stops } = freePlan(100_000, settings, ROUND, design);
      expect(checks).toBeGreaterThan(0);
      expect(stops.length).toBeGreaterThan(0);
      expect(passedLimits(design, { mailboxes: 100_000, checks }, settings, ROUND)).toEqual([]);
      expect(
        passedLimits(design, { mailboxes: 100_000, checks: checks + 1 }, settings, ROUND).length,
      ).toBeGreaterThan(0);
    }
    expect(freePlan(100_000_000, MANY_ISOLATES, ROUND, ours)).toMatchObject({ publishes: 0, checks: 0 });
  });

  it("allows fewer publishes of a list that changes more", () => {
    const publishes = (mailboxes: number) => freePlan(mailboxes, MANY_ISOLATES, ROUND, ours).publishes;
    expect(publishes(10_000)).toBe(1440);
    expect(publishes(1_000_000)).toBeGreaterThan(0);
    expect(publishes(1_000_000)).toBeLessThan(96);
  });

  it("needs one day for every thousand keys", () => {
    expect(daysToFill({ monthly: NOTHING, firstWrites: 1000 })).toBe(1);
    expect(daysToFill({ monthly: NOTHING, firstWrites: 1001 })).toBe(2);
  });
});

describe("a Registry", () => {
  it("handles half of 1,000 questions a second, one each half window", () => {
    expect(isolatesPerObject(FEW_ISOLATES)).toBe(7500);
    expect(isolatesPerObject({ ...FEW_ISOLATES, window: 60 })).toBe(15_000);
  });

  it("keeps as many days of history as 10 GB hold", () => {
    // Each day's publish replaces every shard: 8 GB, or 1.95 GB, and a manifest.
    const a = { ...FEW_ISOLATES, changesPerDay: 1e12, publishesPerDay: 1 };
    expect(historyThatFits({ mailboxes: 1.6e9, checks: 0 }, a, ROUND)).toBeNull();
    expect(historyThatFits({ mailboxes: 3.9e8, checks: 0 }, a, ROUND)).toBe(4);
  });
});
