/* From how many distinct names that were asked for the brake holds names that left. */
import { expect, it } from "vitest";
import { brakeLimit } from "../../src/directory/brake.ts";

const HOUR = 3_600;
const DAY = 24 * HOUR;

it("is ten names at least, however few left and however soon", () => {
  for (const left of [0, 1, 10, 40]) {
    for (const age of [0, HOUR, DAY]) expect(brakeLimit(left, 1_000, age)).toBe(10);
  }
});

it("is a thousandth of the list at least: so many leave a large one on an ordinary day", () => {
  expect(brakeLimit(500, 10_000, HOUR)).toBe(10);
  expect(brakeLimit(500, 50_000, HOUR)).toBe(50);
  expect(brakeLimit(2_000, 1_000_000, DAY)).toBe(1_000);
});

it("is a fiftieth of those who left at once, and a quarter of them in a day", () => {
  expect(brakeLimit(100_000, 100_000, 0)).toBe(2_000);
  expect(brakeLimit(100_000, 100_000, HOUR)).toBe(2_000);
  expect(brakeLimit(100_000, 100_000, 2 * HOUR)).toBeCloseTo(100_000 / 48, 6);
  expect(brakeLimit(100_000, 100_000, 12 * HOUR)).toBe(12_500);
  expect(brakeLimit(100_000, 100_000, DAY)).toBe(25_000);
});

it("does not rise after a day: only what was asked for in the last day is counted", () => {
  expect(brakeLimit(100_000, 100_000, 30 * DAY)).toBe(25_000);
});
