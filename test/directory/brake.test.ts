/* From how many distinct names that were asked for the brake holds names that left. */
import { describe, expect, it } from "vitest";
import { fingerprint } from "../../src/directory/address/fingerprint.ts";
import { addToSketch, newSketch } from "../../src/directory/formats/sketch.ts";
import { brakeLimit, type JudgedGroup, judgeGroups } from "../../src/directory/names/brake.ts";
import { KEY } from "./helpers.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;

it("is ten names at least, however few left and however soon", () => {
  for (const left of [0, 1, 10, 40]) {
    for (const age of [0, HOUR, DAY]) expect(brakeLimit(1_000, [{ left, age }])).toBe(10);
  }
});

it("is a thousandth of the list at least: so many leave a large one on an ordinary day", () => {
  expect(brakeLimit(10_000, [{ left: 500, age: HOUR }])).toBe(10);
  expect(brakeLimit(50_000, [{ left: 500, age: HOUR }])).toBe(50);
  expect(brakeLimit(1_000_000, [{ left: 2_000, age: DAY }])).toBe(1_000);
});

it("is a fiftieth of those who left at once, and a quarter of them in a day", () => {
  expect(brakeLimit(100_000, [{ left: 100_000, age: 0 }])).toBe(2_000);
  expect(brakeLimit(100_000, [{ left: 100_000, age: HOUR }])).toBe(2_000);
  expect(brakeLimit(100_000, [{ left: 100_000, age: 2 * HOUR }])).toBeCloseTo(100_000 / 48, 6);
  expect(brakeLimit(100_000, [{ left: 100_000, age: 12 * HOUR }])).toBe(12_500);
  expect(brakeLimit(100_000, [{ left: 100_000, age: DAY }])).toBe(25_000);
});

it("does not rise after a day: only what was asked for in the last day is counted", () => {
  expect(brakeLimit(100_000, [{ left: 100_000, age: 30 * DAY }])).toBe(25_000);
});

it("adds up what is expected of groups that are judged together, each by its own age", () => {
  // Five leavers a day in a list of 5,000: at the youngest one's age, 150 would be expected to be 3.
  const month = Array.from({ length: 30 }, (_, day) => ({ left: 5, age: day * DAY }));
  expect(brakeLimit(5_000, month)).toBeCloseTo(5 / 50 + (29 * 5) / 4, 6);
  expect(brakeLimit(5_000, [...month, { left: 20_000, age: 0 }])).toBeCloseTo(400 + 5 / 50 + (29 * 5) / 4, 6);
});

describe("groups", () => {
  let next = 0;
  /** Names that left, of which some were asked for. */
  const group = (left: number, asked: number, age: number, more: Partial<JudgedGroup> = {}): JudgedGroup => {
    const sketch = newSketch();
    for (let i = 0; i < asked; i++) addToSketch(sketch, fingerprint(KEY.names, `user${next++}`));
    return { left, gone: left, age, small: false, suspended: false, asked: sketch, ...more };
  };

  it("are judged each by itself, whatever else left", () => {
    const purge = Array.from({ length: 60 }, () => group(5_000, 0, 12 * HOUR));
    expect(judgeGroups([...purge, group(200, 20, HOUR)], 10_000)).toMatchObject({ left: 200 });
    expect(judgeGroups([...purge, group(200, 5, HOUR)], 10_000)).toBeNull();
  });

  it("are judged together too, by the sum of what is expected of each", () => {
    const steps = Array.from({ length: 20 }, () => group(20, 6, HOUR));
    expect(judgeGroups(steps, 10_000)).toMatchObject({ left: 400 });
    // A purge of a day ago is expected to be asked for by a quarter.
    expect(judgeGroups([...steps, group(4_000, 0, DAY)], 10_000)).toBeNull();
  });

  it("that are small are judged together from each of them on, if they left within a day", () => {
    const before = Array.from({ length: 20 }, () => group(100, 2, 20 * HOUR, { small: true }));
    const steps = Array.from({ length: 6 }, (_, i) => group(5, 4, i * 60, { small: true }));
    expect(judgeGroups([...before, ...steps], 5_000)).toMatchObject({ left: expect.any(Number) });
    expect(judgeGroups([...before, ...steps], 5_000)?.left).toBeLessThanOrEqual(30);
    expect(judgeGroups(before, 5_000)).toBeNull();
    const old = [...before, ...steps].map((each) => ({ ...each, age: each.age + DAY }));
    expect(judgeGroups(old, 5_000)).toBeNull();
  });

  it("count no more names than are still gone, and the limit goes by those who left", () => {
    expect(judgeGroups([group(1_000, 25, 0)], 5_000)).not.toBeNull();
    expect(judgeGroups([group(1_000, 25, 0, { gone: 9 })], 5_000)).toBeNull();
    // Half came back, those that were asked for among them.
    expect(judgeGroups([group(1_000, 15, 0, { gone: 500 })], 5_000)).toBeNull();
  });

  it("of suspended people are judged apart: in their first day, and above a hundredth of the list", () => {
    const suspended = { suspended: true };
    expect(judgeGroups([group(15_000, 2_500, HOUR, suspended)], 285_000)).toBeNull();
    expect(judgeGroups([group(15_000, 4_000, HOUR, suspended)], 285_000)).toMatchObject({ left: 15_000 });
    expect(judgeGroups([group(15_000, 4_000, DAY, suspended)], 285_000)).toBeNull();
    // They hide no leavers, and leavers do not make them more.
    const both = [group(15_000, 2_500, HOUR, suspended), group(900, 250, HOUR)];
    expect(judgeGroups(both, 285_000)).toBeNull();
    expect(judgeGroups([group(150, 30, HOUR, suspended)], 1_000)).toMatchObject({ left: 150 });
    expect(judgeGroups([group(150, 7, HOUR, suspended)], 1_000)).toBeNull();
  });

  it("that are none hold nothing", () => {
    expect(judgeGroups([], 0)).toBeNull();
  });
});
