import { describe, expect, it } from "vitest";
import type { GuardedList } from "../../src/directory/guard/guarded-lists.ts";
import { decodeSpans, encodeSpans, type NameSpans, OPEN } from "../../src/directory/guard/name-spans.ts";
import { Charges, updateSpans } from "../../src/directory/guard/span-buckets.ts";
import { atOnce } from "../../src/directory/steps.ts";
import { MemoryBuckets } from "./memory-buckets.ts";

/** Spans that one bucket may hold. */
const MOST = 9_766;
/** Spans planned for one bucket. */
const PLANNED = 8_192;
const GENERATION = 40;
/** Generations of the day's lists. */
const DAY = [10, 20, 30];

const list = (generation: number): GuardedList => ({
  generation,
  accepted: 100_000,
  lost: 0,
  superseded: null,
});
const sorted = (tails: readonly number[]): Float64Array => Float64Array.from(tails).sort();
const spansOf = (...spans: [from: number, to: number][]) => spans.map(([from, to]) => ({ from, to }));
const name = (tail: number, ...spans: [from: number, to: number][]): NameSpans => ({
  tail,
  spans: spansOf(...spans),
});
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

interface Commit {
  readonly gone?: readonly number[];
  readonly back?: readonly number[];
  readonly forced?: boolean;
  readonly day?: readonly number[];
}

function put(buckets: MemoryBuckets, bucket: number, names: readonly NameSpans[]): void {
  const spans = names.reduce((sum, each) => sum + each.spans.length, 0);
  buckets.write(bucket, encodeSpans(names), spans, OPEN);
}

function namesIn(buckets: MemoryBuckets, bucket = 0): NameSpans[] {
  const bytes = buckets.read(bucket);
  return bytes === null ? [] : decodeSpans(bytes);
}

/** Applies a commit. @returns what each list of the day is charged */
function commit(
  buckets: MemoryBuckets,
  { gone = [], back = [], forced = false, day = DAY }: Commit,
): number[] {
  const lists = day.map(list);
  const charges = new Charges(lists);
  const changes = { gone: sorted(gone), back: sorted(back), uncounted: 0 };
  atOnce(updateSpans(buckets, lists, charges, { generation: GENERATION, changes, forced }));
  return lists.map((_, i) => charges.of(i));
}

/** What a commit makes of the names of the only bucket, and what it charges. */
function resultOf(names: readonly NameSpans[], change: Commit) {
  const buckets = new MemoryBuckets();
  if (names.length > 0) put(buckets, 0, names);
  const charges = commit(buckets, change);
  return { names: namesIn(buckets), charges };
}

describe("a name that goes", () => {
  it("was accepted by every list of the day, if it has no spans", () => {
    expect(resultOf([], { gone: [5] })).toEqual({ names: [name(5, [0, 40])], charges: [1, 1, 1] });
  });

  it("is charged to the lists within its spans", () => {
    expect(resultOf([name(5, [20, OPEN])], { gone: [5] })).toEqual({
      names: [name(5, [20, 40])],
      charges: [0, 1, 1],
    });
    expect(resultOf([name(5, [10, 20], [30, OPEN])], { gone: [5] })).toEqual({
      names: [name(5, [10, 20], [30, 40])],
      charges: [1, 0, 1],
    });
  });

  it("and is gone already is another one of the same tail: it was accepted all day", () => {
    expect(resultOf([name(5, [10, 20])], { gone: [5] })).toEqual({
      names: [name(5, [0, 40])],
      charges: [1, 1, 1],
    });
    expect(resultOf([], { gone: [5, 5] })).toEqual({ names: [name(5, [0, 40])], charges: [2, 2, 2] });
  });

  it("by an override is removed from the lists, and charged to none", () => {
    expect(resultOf([name(5, [20, OPEN]), name(6, [20, OPEN])], { gone: [5], forced: true })).toEqual({
      names: [name(6, [20, OPEN])],
      charges: [0, 0, 0],
    });
  });
});

describe("a name that returns", () => {
  it("is accepted from now on", () => {
    expect(resultOf([], { back: [5] })).toEqual({ names: [name(5, [40, OPEN])], charges: [0, 0, 0] });
  });

  it("is taken off the counts of the lists that lost it", () => {
    expect(resultOf([name(5, [20, 30])], { back: [5] })).toEqual({
      names: [name(5, [20, 30], [40, OPEN])],
      charges: [0, -1, 0],
    });
  });

  it("and is there already changes nothing: it is another one of the same tail", () => {
    expect(resultOf([name(5, [20, OPEN])], { back: [5] })).toEqual({
      names: [name(5, [20, OPEN])],
      charges: [0, 0, 0],
    });
    expect(resultOf([name(5, [20, 30])], { back: [5, 5] })).toEqual({
      names: [name(5, [20, 30], [40, OPEN])],
      charges: [0, -1, 0],
    });
  });

  it("in the commit in which one of the same tail goes is charged once and taken off once", () => {
    expect(resultOf([], { gone: [5], back: [5] })).toEqual({
      names: [name(5, [0, OPEN])],
      charges: [0, 0, 0],
    });
  });
});

describe("a commit", () => {
  it("keeps names in order, whatever it adds and removes", () => {
    const names = [name(2, [20, OPEN]), name(4, [20, 30]), name(8, [20, OPEN])];
    expect(resultOf(names, { gone: [1, 8, 9], back: [3, 4] }).names).toEqual([
      name(1, [0, 40]),
      name(2, [20, OPEN]),
      name(3, [40, OPEN]),
      name(4, [20, 30], [40, OPEN]),
      name(8, [20, 40]),
      name(9, [0, 40]),
    ]);
  });

  it("drops spans that ended before the oldest list of the day", () => {
    const names = [name(1, [5, 10]), name(2, [5, 11]), name(3, [2, 4], [20, 30])];
    expect(resultOf(names, { back: [9] }).names).toEqual([
      name(2, [5, 11]),
      name(3, [20, 30]),
      name(9, [40, OPEN]),
    ]);
  });

  it("drops names that every list of the day accepts", () => {
    const names = [name(1, [9, OPEN]), name(2, [10, OPEN]), name(3, [11, OPEN]), name(4, [10, 20])];
    expect(resultOf(names, { back: [9] }).names).toEqual([
      name(3, [11, OPEN]),
      name(4, [10, 20]),
      name(9, [40, OPEN]),
    ]);
  });

  it("joins spans without a list of the day between them", () => {
    const names = [
      name(1, [10, 12], [15, 35]),
      name(2, [10, 20], [21, 35]),
      name(3, [10, 20], [20, 22], [29, 35]),
      name(4, [11, 12], [13, 14], [30, OPEN]),
    ];
    expect(resultOf(names, { back: [9] }).names.slice(0, 4)).toEqual([
      name(1, [10, 35]),
      name(2, [10, 20], [21, 35]),
      name(3, [10, 35]),
      name(4, [11, 14], [30, OPEN]),
    ]);
  });

  it("needs only what the list before it knew, where no list of the day is left", () => {
    const names = [name(1, [5, 40]), name(2, [5, 41]), name(3, [40, OPEN])];
    expect(resultOf(names, { back: [9], day: [] }).names).toEqual([name(2, [5, 41])]);
  });

  it("empties a bucket without names, and touches none that it does not change", () => {
    const buckets = new MemoryBuckets();
    buckets.bits = 1;
    put(buckets, 0, [name(5, [20, OPEN])]);
    put(buckets, 1, [name(2 ** 47, [20, OPEN])]);
    buckets.writes = 0;
    commit(buckets, { gone: [5], forced: true });
    expect([...buckets.kept.keys()]).toEqual([1]);
    expect(buckets.writes).toBe(1);
  });

  it("says how many spans a bucket holds, and until which list they are needed", () => {
    const buckets = new MemoryBuckets();
    put(buckets, 0, [name(1, [11, 15], [25, 35]), name(2, [12, OPEN])]);
    commit(buckets, { gone: [3], day: [10, 20, 30, 38] });
    expect(buckets.kept.get(0)).toMatchObject({ spans: 4, newest: 40 });
    commit(buckets, { back: [2] });
    expect(buckets.kept.get(0)).toMatchObject({ spans: 4, newest: 40 });
    const open = new MemoryBuckets();
    put(open, 0, [name(1, [11, 15]), name(2, [16, OPEN])]);
    commit(open, { back: [2] });
    expect(open.kept.get(0)).toMatchObject({ spans: 2, newest: 16 });
  });
});

describe("the buckets", () => {
  it("are chosen by the top bits of the tail", () => {
    const buckets = new MemoryBuckets();
    buckets.bits = 2;
    const quarter = 2 ** 46;
    const tails = range(4).flatMap((i) => [i * quarter, (i + 1) * quarter - 1]);
    commit(buckets, { gone: tails.filter((_, i) => i % 2 === 0), back: tails.filter((_, i) => i % 2 === 1) });
    for (const bucket of range(4)) {
      expect(namesIn(buckets, bucket).map(({ tail }) => tail)).toEqual(
        tails.slice(2 * bucket, 2 * bucket + 2),
      );
    }
  });

  it.each([
    [0, PLANNED, 0],
    [0, PLANNED + 1, 1],
    [2 * PLANNED - 1, 1, 1],
    [2 * PLANNED, 1, 2],
    [256 * PLANNED - 1, 1, 8],
    [2_000 * PLANNED, 1, 8],
  ])("of %i spans, to which a commit adds %i, are 2^%i", (count, more, bits) => {
    const buckets = new MemoryBuckets();
    buckets.count = () => count;
    commit(buckets, { back: range(more) });
    expect(buckets.bits).toBe(bits);
  });

  it("have room for the names that go and for those that return", () => {
    const buckets = new MemoryBuckets();
    commit(buckets, { gone: range(PLANNED), back: [PLANNED] });
    expect(buckets.bits).toBe(1);
  });

  it("are never made fewer", () => {
    const buckets = new MemoryBuckets();
    buckets.bits = 3;
    commit(buckets, { back: [1] });
    expect(buckets.bits).toBe(3);
  });

  it("split with their names, and leave nothing in the old ones", () => {
    const buckets = new MemoryBuckets();
    buckets.bits = 1;
    const eighth = 2 ** 45;
    const upper = range(4).map((i) => name((4 + i) * eighth + 1, [20, OPEN]));
    put(buckets, 1, upper);
    buckets.count = () => 8 * PLANNED - 1;
    // The bucket of the changed name is the only one that is written once more.
    commit(buckets, { back: [7 * eighth + 1] });
    expect(buckets.bits).toBe(3);
    expect([...buckets.kept.keys()].sort()).toEqual([4, 5, 6, 7]);
    expect(range(8).flatMap((bucket) => namesIn(buckets, bucket))).toEqual(upper);
  });
});

describe("a bucket past its limit", () => {
  /** Two spans each, with the list of generation 20 between them. */
  const open = (count: number): NameSpans[] => range(count).map((i) => name(i, [10, 15], [25, OPEN]));
  const gone = (count: number): NameSpans[] => range(count).map((i) => name(i, [10, 15], [25, 35]));
  const last = name(100_000, [25, OPEN]);
  /** Changes nothing: the name is there already. */
  const touch = { back: [100_000] };

  it("keeps all spans up to the limit", () => {
    const names = [...open((MOST - 2) / 2), last, name(100_001, [25, OPEN])];
    expect(resultOf(names, touch)).toEqual({ names, charges: [0, 0, 0] });
  });

  it("merges the spans of each name, and charges those that are gone to the lists between", () => {
    const half = (MOST - 2) / 4;
    const some = [...open(2 * half)].map((each, i) =>
      i % 2 === 0 ? each : name(each.tail, [10, 15], [25, 35]),
    );
    const names = [...some, last, name(100_001, [10, 15], [25, OPEN])];
    const merged = resultOf(names, touch);
    expect(merged.names).toEqual(
      names.map(({ tail, spans }) => name(tail, [spans[0]?.from ?? 0, spans.at(-1)?.to ?? 0])),
    );
    expect(merged.charges).toEqual([0, half, 0]);
  });

  it("charges a merged name to the lists between all of its spans, and to no others", () => {
    const long = name(99_999, [5, 11], [12, 21], [29, 35]);
    const names = [...open((MOST - 2) / 2), long, last];
    const merged = resultOf(names, { ...touch, day: [10, 11, 20, 22, 25, 29, 30] });
    expect(merged.names.at(-2)).toEqual(name(99_999, [5, 35]));
    expect(merged.charges).toEqual([0, 1, 0, 1, 1, 0, 0]);
  });

  it("keeps all names up to the limit", () => {
    const names = [...gone(1), ...range(MOST - 2).map((i) => name(i + 1, [10, 35])), last];
    const merged = resultOf(names, touch);
    expect(merged.names).toHaveLength(MOST);
    expect(merged.names[0]).toEqual(name(0, [10, 35]));
    expect(merged.names.at(-1)).toEqual(last);
  });

  it("forgets names that are accepted, which then count as accepted by every list", () => {
    const names = [...range(MOST).map((i) => (i === 7 ? name(i, [11, OPEN]) : name(i, [10, 35]))), last];
    const kept = resultOf(names, touch);
    expect(kept.names.map(({ tail }) => tail)).toEqual(range(MOST).filter((i) => i !== 7));
    expect(kept.charges).toEqual([0, 0, 0]);
  });

  it("forgets names that are gone only past the limit, and leaves them counted", () => {
    const names = [...range(MOST + 1).map((i) => name(i, [10, 35])), last];
    const kept = resultOf(names, touch);
    expect(kept.names).toEqual(names.slice(0, MOST));
    expect(kept.charges).toEqual([0, 0, 0]);
  });
});

describe("charges", () => {
  it("reach the lists from the start of a span up to its end", () => {
    for (const [from, to, expected] of [
      [0, 9, [0, 0, 0]],
      [0, 10, [0, 0, 0]],
      [0, 11, [1, 0, 0]],
      [10, 20, [1, 0, 0]],
      [11, 21, [0, 1, 0]],
      [20, 31, [0, 1, 1]],
      [31, OPEN, [0, 0, 0]],
      [0, OPEN, [1, 1, 1]],
    ] as const) {
      const charges = new Charges(DAY.map(list));
      charges.add({ from, to }, 1);
      expect(DAY.map((_, i) => charges.of(i))).toEqual(expected);
      expect(charges.has({ from, to })).toBe(expected.some((it) => it > 0));
    }
  });

  it("add up", () => {
    const charges = new Charges(DAY.map(list));
    charges.add({ from: 0, to: 25 }, 5);
    charges.add({ from: 20, to: OPEN }, 3);
    charges.add({ from: 20, to: 21 }, -1);
    expect(DAY.map((_, i) => charges.of(i))).toEqual([5, 7, 3]);
  });
});
