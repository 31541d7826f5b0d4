/* Sketches: how well they count, what they ignore, and which bytes are none. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint } from "../../src/directory/address/fingerprint.ts";
import {
  addToSketch,
  estimate,
  isPackedSketch,
  mergePackedSketch,
  mergeSketch,
  newSketch,
  packSketch,
  type Sketch,
} from "../../src/directory/formats/sketch.ts";
import { faultOf, forAll, KEY } from "./helpers.ts";

function sketchOf(names: Iterable<string>): Sketch {
  const sketch = newSketch();
  for (const name of names) addToSketch(sketch, fingerprint(KEY.names, name));
  return sketch;
}

const namesUpTo = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `user${from + i}`);

/** A digest whose tail is a number. */
const withTail = (tail: number): Uint8Array => {
  const digest = new Uint8Array(10);
  for (let i = 0; i < 6; i++) digest[4 + i] = Math.floor(tail / 2 ** (8 * (5 - i))) % 256;
  return digest;
};

describe("a sketch", () => {
  it("counts nothing before a name was added", () => {
    expect(estimate(newSketch())).toBe(0);
    expect(packSketch(newSketch())).toEqual(new Uint8Array(0));
  });

  it("counts a name once, however often it is added", () => {
    expect(estimate(sketchOf(["alice"]))).toBe(1);
    expect(estimate(sketchOf(Array.from({ length: 10_000 }, () => "alice")))).toBe(1);
    expect(sketchOf(["alice", "bob", "alice"])).toEqual(sketchOf(["bob", "alice"]));
  });

  // The standard error is 6.5 %, and three times that is allowed. These are the very names: the result never changes.
  it.each([
    [10, 1],
    [50, 5],
    [100, 8],
    [300, 30],
    [640, 90],
    [1_000, 195],
    [10_000, 1_300],
    [200_000, 26_000],
  ])("counts %i names, with %i more or fewer", (count, error) => {
    expect(Math.abs(estimate(sketchOf(namesUpTo(count))) - count)).toBeLessThanOrEqual(error);
  });

  it("has place and rank of a tail's bits", () => {
    const rankOf = (tail: number): number[] => {
      const sketch = newSketch();
      addToSketch(sketch, withTail(tail));
      return [...packSketch(sketch)];
    };
    expect(rankOf(0)).toEqual([0, 33]);
    expect(rankOf(2 ** 48 - 1)).toEqual([255, 1]);
    expect(rankOf(2 ** 47 + 7)).toEqual([7, 1]);
    expect(rankOf(2 ** 46)).toEqual([0, 2]);
    expect(rankOf(2 ** 16 + 3)).toEqual([3, 32]);
    // These bits are neither.
    expect(rankOf(2 ** 8)).toEqual([0, 33]);
    expect(rankOf(2 ** 15)).toEqual([0, 33]);
  });

  it("has the highest rank of each register, in any order", () => {
    const sketch = newSketch();
    for (const tail of [2 ** 40 + 1, 2 ** 47 + 1, 2 ** 30 + 1, 2 ** 46 + 1])
      addToSketch(sketch, withTail(tail));
    expect([...packSketch(sketch)]).toEqual([1, 18]);
  });

  it("estimates by empty registers while there are few names, else by ranks", () => {
    const full = newSketch().fill(1);
    expect(estimate(full)).toBe(Math.round((0.7213 / (1 + 1.079 / 256)) * 512));
    const oneEmpty = newSketch().fill(1);
    oneEmpty[0] = 0;
    expect(estimate(oneEmpty)).toBe(Math.round(256 * Math.log(256)));
    // Ranks of 3 are an estimate above 2.5 names for each register: then empty ones say nothing.
    const high = newSketch().fill(3);
    high[0] = 0;
    expect(estimate(high)).toBe(Math.round(((0.7213 / (1 + 1.079 / 256)) * 65_536) / (1 + 255 / 8)));
    const middle = newSketch().fill(2);
    middle[0] = 0;
    expect(estimate(middle)).toBe(Math.round(((0.7213 / (1 + 1.079 / 256)) * 65_536) / (1 + 255 / 4)));
  });

  it("is the same after it was packed and merged", () => {
    forAll([fc.nat(2_000)], (count) => {
      const sketch = sketchOf(namesUpTo(count));
      const packed = packSketch(sketch);
      expect(packed.length).toBeLessThanOrEqual(512);
      expect(isPackedSketch(packed)).toBe(true);
      const merged = newSketch();
      mergePackedSketch(merged, packed);
      expect(merged).toEqual(sketch);
    });
  });

  it("merged with another, packed or not, has the names of both", () => {
    const other = sketchOf(namesUpTo(700, 400));
    const [merged, same] = [sketchOf(namesUpTo(700)), sketchOf(namesUpTo(700))];
    mergePackedSketch(merged, packSketch(other));
    mergeSketch(same, other);
    expect(merged).toEqual(sketchOf(namesUpTo(1_100)));
    expect(same).toEqual(merged);
    expect(other).toEqual(sketchOf(namesUpTo(700, 400)));
  });
});

describe("bytes that are no sketch", () => {
  it.each([
    ["half a register", [1]],
    ["a register that is empty", [1, 0]],
    ["a rank that no name has", [1, 34]],
    ["a register that is there twice", [1, 2, 1, 3]],
    ["registers in another order", [2, 2, 1, 3]],
    ["registers in another order, later", [1, 1, 3, 2, 2, 3]],
  ])("are refused: %s", (_, bytes) => {
    const packed = Uint8Array.from(bytes);
    expect(isPackedSketch(packed)).toBe(false);
    const into = newSketch();
    expect(faultOf(() => mergePackedSketch(into, packed))).toBe("damaged");
    expect(into).toEqual(newSketch());
  });

  it("are taken at their limits", () => {
    for (const bytes of [[], [0, 1], [0, 33], [255, 33], [0, 1, 1, 1], [3, 33, 200, 1]])
      expect(isPackedSketch(Uint8Array.from(bytes))).toBe(true);
  });
});
