import { describe, expect, it } from "vitest";
import type { BlobTable } from "../../src/directory/formats/manifest.ts";
import {
  isSameBlob,
  isSameGeneration,
  isSamePatterns,
  isSameTable,
} from "../../src/directory/names/same-content.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("two manifests", () => {
  const one = { incarnation: 3, generation: 7 };

  it.each<[string, Parameters<typeof isSameGeneration>, boolean]>([
    ["of one number of one log", [one, { ...one }], true],
    ["of two numbers", [one, { ...one, generation: 8 }], false],
    ["of two logs", [one, { ...one, incarnation: 4 }], false],
  ])("%s", (_, [a, b], expected) => {
    expect(isSameGeneration(a, b)).toBe(expected);
  });
});

const ids = (...firsts: number[]): Uint8Array =>
  Uint8Array.from(firsts.flatMap((first) => [first, ...new Array<number>(31).fill(9)]));
const named = (bits: number, ...firsts: number[]): BlobTable => ({ bits, inline: null, ids: ids(...firsts) });
const inline = (...values: number[]): BlobTable => ({ bits: 0, inline: bytes(...values), ids: bytes() });

describe("two tables", () => {
  it.each<[string, BlobTable, BlobTable, boolean]>([
    ["with the same ids", named(1, 1, 2), named(1, 1, 2), true],
    ["with another id", named(1, 1, 2), named(1, 1, 3), false],
    ["of other numbers of blobs", named(1, 1, 2), named(2, 1, 2), false],
    ["with the same inline bytes", inline(1, 2), inline(1, 2), true],
    ["with other inline bytes", inline(1, 2), inline(1, 3), false],
    ["with an inline blob and an empty one", inline(1), inline(), false],
    ["with a blob of its own and an inline one", named(0, 1), inline(1), false],
  ])("%s", (_, a, b, expected) => {
    expect(isSameTable(a, b)).toBe(expected);
    expect(isSameTable(b, a)).toBe(expected);
  });
});

describe("a blob of two tables", () => {
  it.each<[string, BlobTable, BlobTable, readonly boolean[]]>([
    ["is one if the id is", named(1, 1, 2), named(1, 1, 3), [true, false]],
    ["is never one in other numbers of blobs", named(1, 1, 2), named(2, 1, 2, 3, 4), [false, false]],
    ["is none if it is inline", inline(1), inline(1), [false]],
    ["is none if one is inline", named(0), inline(1), [false]],
    ["is none if the other is inline", inline(1), named(0), [false]],
  ])("%s", (_, a, b, expected) => {
    expect(expected.map((__, index) => isSameBlob(a, b, index))).toEqual(expected);
  });
});

describe("two tables of patterns", () => {
  it("are the same if their bytes are, or neither has any", () => {
    expect(isSamePatterns(null, null)).toBe(true);
    expect(isSamePatterns(bytes(1, 2), bytes(1, 2))).toBe(true);
    expect(isSamePatterns(bytes(1, 2), bytes(1, 3))).toBe(false);
    expect(isSamePatterns(bytes(1, 2), null)).toBe(false);
    expect(isSamePatterns(null, bytes(1, 2))).toBe(false);
  });
});
