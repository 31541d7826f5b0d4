import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, tailOf } from "../../src/directory/address/fingerprint.ts";
import { DirectoryError } from "../../src/directory/errors.ts";
import { ACTIVE, DISABLED, FULL, MOVED } from "../../src/directory/formats/shard.ts";
import {
  acceptedCount,
  comparable,
  compareLists,
  entriesByShard,
  type ListContent,
} from "../../src/directory/names/difference.ts";
import {
  flipped,
  forAll,
  KEY,
  keyFor,
  type List,
  type Packed,
  packList,
  policyWith,
  tableOf,
} from "./helpers.ts";

/** A packed list as it is read back, with a note of which shards were asked for. */
function contentOf(packed: Packed, inline = packed.bits === 0): ListContent & { readonly asked: number[] } {
  const asked: number[] = [];
  return {
    table: tableOf(packed.shards, packed.bits, inline),
    asked,
    read(index) {
      asked.push(index);
      return packed.shards[index] as Uint8Array;
    },
  };
}

const compare = (before: List, after: List, bits: readonly [number, number]) => {
  const visited = new Map<number, [number, number]>();
  const difference = compareLists(
    contentOf(packList(before, KEY, bits[0])),
    contentOf(packList(after, KEY, bits[1])),
    (tail, was, is) => visited.set(tail, [was, is]),
  );
  return { difference, visited };
};

/** The same by plain maps. */
function model(before: List, after: List) {
  const visited = new Map<number, [number, number]>();
  const difference = { added: 0, removed: 0, changed: 0, lost: 0 };
  const letsIn = (state: number | undefined) => state === ACTIVE || state === FULL;
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const was = before.get(name);
    const is = after.get(name);
    if (was === is) continue;
    if (was === undefined) difference.added++;
    else if (is === undefined) difference.removed++;
    else difference.changed++;
    if (letsIn(was) && !letsIn(is)) difference.lost++;
    visited.set(tailOf(fingerprint(KEY.names, name)), [was ?? -1, is ?? -1]);
  }
  return { difference, visited };
}

describe("the entries of a list", () => {
  it.each([
    [0, true],
    [0, false],
    [3, false],
  ])("are visited once each, in 2^%i shards, inline: %s", (bits, inline) => {
    const names = new Map(Array.from({ length: 100 }, (_, i) => [`user${i}`, i % 4]));
    const content = contentOf(packList(names, KEY, bits), inline);
    const visited: [tail: number, state: number][] = [];
    for (const { tails, states } of entriesByShard(content)) {
      tails.forEach((tail, i) => void visited.push([tail, states[i] as number]));
    }
    const expected = [...names].map(([name, its]) => [tailOf(fingerprint(KEY.names, name)), its]);
    const inOrder = (entries: readonly (readonly number[])[]) =>
      entries.toSorted(([a = 0], [b = 0]) => a - b);
    expect(inOrder(visited)).toEqual(inOrder(expected as number[][]));
    expect(content.asked).toEqual(inline ? [] : Array.from({ length: 2 ** bits }, (_, i) => i));
  });
});

const state = fc.constantFrom(ACTIVE, ACTIVE, DISABLED, FULL, MOVED);
const list = fc
  .array(
    fc.tuple(
      fc.nat(60).map((i) => `user${i}`),
      state,
    ),
    { maxLength: 60 },
  )
  .map((pairs): List => new Map(pairs));

describe("two generations of a list", () => {
  it("differ as plain maps do, for any numbers of shards", () => {
    forAll([list, list, fc.tuple(fc.nat(4), fc.nat(4))], (before, after, bits) => {
      expect(compare(before, after, bits)).toEqual(model(before, after));
    });
  });

  it("of thousands of names differ as plain maps do", () => {
    const before = new Map(Array.from({ length: 6_000 }, (_, i) => [`user${i}`, i % 4]));
    const after = new Map(
      Array.from({ length: 7_000 }, (_, i) => [`user${i + 500}`, (i + (i % 7 ? 0 : 1)) % 4]),
    );
    const expected = model(before, after);
    expect(expected.difference.lost).toBeGreaterThan(300);
    for (const bits of [
      [0, 0],
      [0, 3],
      [3, 0],
      [2, 2],
      [5, 2],
    ] as const) {
      expect(compare(before, after, bits)).toEqual(expected);
    }
  });

  it("do not differ if they are the same, in any packing", () => {
    const same = new Map(Array.from({ length: 1_000 }, (_, i) => [`user${i}`, i % 4]));
    for (const bits of [
      [0, 0],
      [0, 4],
      [3, 1],
    ] as const) {
      expect(compare(same, same, bits).difference).toEqual({ added: 0, removed: 0, changed: 0, lost: 0 });
    }
  });

  it.each([
    [ACTIVE, DISABLED, 1],
    [ACTIVE, MOVED, 1],
    [ACTIVE, FULL, 0],
    [FULL, DISABLED, 1],
    [FULL, MOVED, 1],
    [FULL, ACTIVE, 0],
    [DISABLED, MOVED, 0],
    [DISABLED, ACTIVE, 0],
    [MOVED, FULL, 0],
  ])("lose a name that goes from state %i to %i: %i", (was, is, lost) => {
    const { difference } = compare(new Map([["alice", was]]), new Map([["alice", is]]), [0, 0]);
    expect(difference).toEqual({ added: 0, removed: 0, changed: 1, lost });
  });

  it.each([
    [ACTIVE, 1],
    [FULL, 1],
    [DISABLED, 0],
    [MOVED, 0],
  ])("lose a name that leaves from state %i: %i", (was, lost) => {
    const { difference } = compare(new Map([["alice", was]]), new Map(), [0, 0]);
    expect(difference).toEqual({ added: 0, removed: 1, changed: 0, lost });
  });

  it("are read only where shards differ", () => {
    const before = new Map(Array.from({ length: 400 }, (_, i) => [`user${i}`, ACTIVE]));
    const after = new Map([...before, ["newcomer", ACTIVE] as const]);
    const left = contentOf(packList(before, KEY, 4));
    const right = contentOf(packList(after, KEY, 4));
    expect(compareLists(left, right)).toEqual({ added: 1, removed: 0, changed: 0, lost: 0 });
    const digest = fingerprint(KEY.names, "newcomer");
    expect(left.asked).toEqual([(digest[0] as number) >>> 4]);
    expect(right.asked).toEqual(left.asked);
  });

  it("compare equally if their only shard is inline and if it is not", () => {
    const before: List = new Map([
      ["alice", ACTIVE],
      ["bob", ACTIVE],
    ]);
    const after: List = new Map([["alice", DISABLED]]);
    for (const inline of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      const left = contentOf(packList(before, KEY, 0), inline[0]);
      const right = contentOf(packList(after, KEY, 0), inline[1]);
      expect(compareLists(left, right)).toEqual({ added: 0, removed: 1, changed: 1, lost: 2 });
    }
  });

  it("are not compared if a shard is damaged", () => {
    const packed = packList(new Map([["alice", ACTIVE]]), KEY, 1);
    const after = packList(new Map([["bob", ACTIVE]]), KEY, 1);
    const broken = { ...packed, shards: packed.shards.map((bytes) => flipped(bytes, 1)) };
    expect(() => compareLists(contentOf(broken), contentOf(after))).toThrow(DirectoryError);
  });
});

describe("comparing two generations", () => {
  const made = (keyId: string, settings = {}) => ({ keyId, policy: policyWith(settings) });

  it("needs the same key, case and dots, while other settings may differ", () => {
    const base = made(KEY.id);
    expect(comparable(base, made(KEY.id))).toBe(true);
    expect(
      comparable(base, made(KEY.id, { catchall: true, delimiters: "-", grace: 0, alias: "x.example" })),
    ).toBe(true);
    expect(comparable(base, made(keyFor("example.com", 2).id))).toBe(false);
    expect(comparable(base, made(KEY.id, { case: "sensitive" }))).toBe(false);
    expect(comparable(base, made(KEY.id, { dots: "ignored" }))).toBe(false);
  });
});

describe("names that a list accepts or defers", () => {
  it("are those with state active or full", () => {
    expect(acceptedCount({ active: 5, disabled: 70, full: 2, moved: 900 })).toBe(7);
  });
});
