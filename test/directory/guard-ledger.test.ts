import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DirectoryError } from "../../src/directory/errors.ts";
import { advanceLedger as advanceInSteps } from "../../src/directory/guard/guard-ledger.ts";
import {
  decodeLists,
  encodeLists,
  GUARD_SPAN,
  type GuardedList,
  listsOfDay,
} from "../../src/directory/guard/guarded-lists.ts";
import { decodeSpans, encodeSpans, OPEN } from "../../src/directory/guard/name-spans.ts";
import type { NameChanges } from "../../src/directory/names/name-changes.ts";
import { atOnce } from "../../src/directory/steps.ts";
import { forAll, unaligned } from "./helpers.ts";
import { MemoryBuckets } from "./memory-buckets.ts";

const HOUR = 3_600_000;
const MANY = 2_500_000;
const sorted = (tails: Iterable<number>): Float64Array => Float64Array.from(tails).sort();

const advanceLedger = (...given: Parameters<typeof advanceInSteps>) => atOnce(advanceInSteps(...given));

/** A domain's lists as sets of tails, and its ledger beside them. */
class Domain {
  readonly buckets = new MemoryBuckets();
  lists: GuardedList[] = [];
  /** Every list that ever was: its names, and when it was superseded. */
  readonly every: { names: ReadonlySet<number>; generation: number; until: number }[] = [];
  /** Of each name the newest generation whose override refused it. */
  readonly overridden = new Map<number, number>();
  generation = 0;

  commit(names: ReadonlySet<number>, now: number, forced = false): void {
    this.generation += 3;
    const before = this.every.at(-1);
    if (before === undefined) {
      this.lists = [{ generation: this.generation, accepted: names.size, lost: 0, superseded: null }];
    } else {
      before.until = now;
      const gone = [...before.names].filter((name) => !names.has(name));
      if (forced) for (const name of gone) this.overridden.set(name, this.generation);
      const changes: NameChanges = {
        gone: sorted(gone),
        back: sorted([...names].filter((name) => !before.names.has(name))),
        uncounted: 0,
      };
      const step = { generation: this.generation, accepted: names.size, changes, forced, now };
      this.lists = advanceLedger(this.lists, this.buckets, step);
      this.buckets.prune(this.lists[0]?.generation ?? 0);
    }
    this.every.push({ names, generation: this.generation, until: Number.POSITIVE_INFINITY });
  }

  /** How many names of a list are refused now, counted one by one. */
  lostOf({ names, generation }: { names: ReadonlySet<number>; generation: number }): number {
    const head = this.every.at(-1)?.names as ReadonlySet<number>;
    return [...names].filter((name) => !head.has(name) && (this.overridden.get(name) ?? 0) <= generation)
      .length;
  }

  get counts(): number[] {
    return this.lists.map(({ lost }) => lost);
  }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const set = (...ranges: number[][]): Set<number> => new Set(ranges.flat());

describe("the guard's ledger", () => {
  it("counts names that go, return and go again against every list that had them", () => {
    const domain = new Domain();
    const all = range(0, 100);
    domain.commit(set(all), 0);
    domain.commit(set(range(16, 100)), HOUR);
    expect(domain.counts).toEqual([16, 0]);
    // The first 16 return, and the next 16 go: of the second list 16, of the first one still 16.
    domain.commit(set(range(0, 16), range(32, 100)), 2 * HOUR);
    expect(domain.counts).toEqual([16, 16, 0]);
    // The first 16 go again: of the first list 32.
    domain.commit(set(range(32, 100)), 3 * HOUR);
    expect(domain.counts).toEqual([32, 16, 16, 0]);
  });

  it("stores nothing for a list that never changed, and drops what no list of the day needs", () => {
    const domain = new Domain();
    domain.commit(set(range(0, 1_000)), 0);
    expect(domain.buckets.count()).toBe(0);
    domain.commit(set(range(100, 1_100)), HOUR);
    expect(domain.buckets.count()).toBe(200);
    domain.commit(set(range(101, 1_100)), 2 * HOUR + GUARD_SPAN);
    // Only the list that ended just now is of the day, and only its one name is gone.
    expect(domain.counts).toEqual([1, 0]);
    expect(domain.buckets.count()).toBe(1);
  });

  it("removes what an override refuses from earlier lists, and protects it again once it returns", () => {
    const domain = new Domain();
    domain.commit(set(range(0, 100)), 0);
    domain.commit(set(range(50, 100)), 1, true);
    expect(domain.counts).toEqual([0, 0]);
    domain.commit(set(range(0, 100)), 2);
    domain.commit(set(range(10, 100)), 3);
    expect(domain.counts).toEqual([0, 0, 10, 0]);
  });

  it("agrees with plain counting, over any sequence of lists, times and overrides", () => {
    const step = fc.record({
      flips: fc.uniqueArray(fc.nat(23), { maxLength: 10 }),
      after: fc.oneof(fc.constant(1_000), fc.integer({ min: 1, max: GUARD_SPAN + HOUR })),
      forced: fc.boolean(),
    });
    forAll(
      [fc.uniqueArray(fc.nat(23), { maxLength: 24 }), fc.array(step, { minLength: 1, maxLength: 25 })],
      (first, steps) => {
        const domain = new Domain();
        let names: ReadonlySet<number> = new Set(first.map(tailOf));
        let now = 1_750_000_000_000;
        domain.commit(names, now);
        for (const { flips, after, forced } of steps) {
          now += after;
          const next = new Set(names);
          for (const name of flips.map(tailOf)) if (!next.delete(name)) next.add(name);
          domain.commit(next, now, forced);
          names = next;
          const day = domain.every.filter(({ until }) => Math.ceil(until / 1000) * 1000 > now - GUARD_SPAN);
          expect(domain.lists.map(({ generation }) => generation)).toEqual(
            day.map(({ generation }) => generation),
          );
          expect(domain.counts).toEqual(day.map((list) => domain.lostOf(list)));
        }
      },
      { numRuns: 2_000 },
    );
  });

  it("splits into buckets as it grows, so that a small change touches one of them", () => {
    const domain = new Domain();
    const far = 2 ** 48;
    const names = (from: number, to: number): number[] =>
      range(from, to).map((i) => Math.floor((((i * 0.618033988749895) % 1) * far) / 8) * 8);
    domain.commit(set(names(0, 30_000)), 0);
    domain.commit(set(names(5_000, 35_000)), 1);
    expect(domain.buckets.bits).toBe(1);
    domain.commit(set(names(20_000, 50_000)), 2);
    expect(domain.buckets.bits).toBe(3);
    expect(domain.counts).toEqual([20_000, 15_000, 0]);
    domain.buckets.writes = 0;
    domain.commit(set(names(20_001, 50_000)), 3);
    expect(domain.buckets.writes).toBe(1);
    expect(domain.counts).toEqual([20_001, 15_001, 1, 0]);
    domain.commit(set(names(0, 50_000)), 4);
    expect(domain.counts).toEqual([0, 0, 0, 0, 0]);
  });

  it("stays within its limit, past which it counts too high and never too low", () => {
    const domain = new Domain();
    // All in the first of 256 buckets, as no keyed fingerprint would have it.
    const half = range(0, 9_000);
    const other = range(20_000, 29_000);
    domain.buckets.bits = 8;
    domain.commit(set(half, other), 0);
    for (let i = 1; i <= 8; i++) domain.commit(i % 2 === 1 ? set(half) : set(other), i);
    domain.commit(set(half, other, range(40_000, 50_000)), 9);
    domain.commit(set(range(40_001, 50_000)), 10);
    expect(domain.buckets.count()).toBeLessThanOrEqual(9_766);
    for (const [i, list] of domain.every.entries()) {
      expect(domain.lists[i]?.lost).toBeGreaterThanOrEqual(domain.lostOf(list));
      expect(domain.lists[i]?.lost).toBeLessThanOrEqual(list.names.size);
    }
  });

  it("charges names past the limit to every list of the day", () => {
    const domain = new Domain();
    domain.commit(set(range(0, 100)), 0);
    domain.commit(set(range(0, 99)), 1);
    const changes = { gone: new Float64Array(0), back: new Float64Array(0), uncounted: 7 };
    const step = { generation: 9, accepted: 92, changes, forced: false, now: 2 };
    expect(advanceLedger(domain.lists, domain.buckets, step).map(({ lost }) => lost)).toEqual([8, 7, 0]);
    expect(
      advanceLedger(domain.lists, domain.buckets, { ...step, forced: true }).map(({ lost }) => lost),
    ).toEqual([1, 0, 0]);
  });

  it("drops lists that were replaced a day ago", () => {
    const list = (superseded: number | null): GuardedList => ({
      generation: 1,
      accepted: 1,
      lost: 0,
      superseded,
    });
    const now = MANY * 1000 + GUARD_SPAN;
    expect(listsOfDay([list(MANY), list(MANY + 1), list(null)], now)).toEqual([list(MANY + 1), list(null)]);
  });
});

/** Tails spread over the buckets, two of them side by side. */
const tailOf = (name: number): number => (name % 2) + Math.floor(name / 2) * 2 ** 44;

describe("the bytes of the guard's ledger", () => {
  it("decode to what was encoded, for any lists and spans", () => {
    const u32 = fc.integer({ min: 1, max: 0xfffffffe });
    const lists = fc
      .uniqueArray(u32, { maxLength: 20 })
      .map((numbers) => [...numbers].sort((a, b) => a - b))
      .chain((numbers) =>
        fc.tuple(
          ...numbers.map((generation) =>
            fc.record({
              generation: fc.constant(generation),
              accepted: u32,
              lost: u32,
              superseded: fc.option(u32),
            }),
          ),
        ),
      );
    forAll([lists], (some) => expect(decodeLists(encodeLists(some))).toEqual(some));
    const spans = fc
      .uniqueArray(u32, { minLength: 2, maxLength: 8 })
      .map((bounds) => [...bounds].sort((a, b) => a - b))
      .map((bounds) =>
        range(0, Math.floor(bounds.length / 2)).map((i) => ({
          from: bounds[2 * i] as number,
          to: bounds[2 * i + 1] as number,
        })),
      );
    const names = fc
      .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 2 ** 48 - 1 }), spans), {
        maxLength: 20,
        selector: ([tail]) => tail,
      })
      .map((all) => all.sort(([a], [b]) => a - b).map(([tail, own]) => ({ tail, spans: own })));
    forAll([names], (some) => expect(decodeSpans(encodeSpans(some))).toEqual(some));
  });

  it("are refused if damaged", () => {
    const good = encodeSpans([{ tail: 5, spans: [{ from: 1, to: OPEN }] }]);
    const bad = (change: (bytes: Uint8Array) => Uint8Array | undefined): void => {
      const bytes = Uint8Array.from(good);
      expect(() => decodeSpans(change(bytes) ?? bytes)).toThrow(DirectoryError);
    };
    bad((bytes) => bytes.subarray(0, 11));
    bad((bytes) => bytes.slice(0, 11));
    bad((bytes) => bytes.subarray(0, bytes.length - 1));
    bad((bytes) => void bytes.fill(0, 0, 1));
    bad((bytes) => void bytes.fill(9, 4, 5));
    // A span that ends before it begins, or where it begins.
    bad((bytes) => void bytes.fill(0, 20, 24));
    expect(() => decodeSpans(encodeSpans([{ tail: 5, spans: [{ from: 3, to: 3 }] }]))).toThrow(/order/);
    const touching = [
      {
        tail: 5,
        spans: [
          { from: 1, to: 3 },
          { from: 3, to: 4 },
        ],
      },
    ];
    expect(decodeSpans(encodeSpans(touching))).toEqual(touching);
    expect(decodeSpans(unaligned(encodeSpans(touching)))).toEqual(touching);
    expect(() => encodeSpans([])).not.toThrow();
    const open = { from: 1, to: OPEN };
    expect(() => decodeSpans(encodeSpans([{ tail: 5, spans: [open, { from: 7, to: 9 }] }]))).toThrow(
      /overlap/,
    );
    expect(() =>
      decodeSpans(
        encodeSpans([
          { tail: 5, spans: [open] },
          { tail: 4, spans: [open] },
        ]),
      ),
    ).toThrow(/order/);
    expect(() => decodeLists(new Uint8Array(15))).toThrow(DirectoryError);
    expect(() => decodeLists(encodeLists([list(4), list(4)]))).toThrow(/order/);
  });
});

const list = (generation: number): GuardedList => ({ generation, accepted: 1, lost: 0, superseded: 9 });
