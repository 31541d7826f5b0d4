/* Distinct names of the last day, hour by hour. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { mergePackedSketch, newSketch, packSketch } from "../../src/directory/index.ts";
import { DaySketch, hourOf } from "../../src/registry/names/day-sketch.ts";
import { forAll } from "../directory/helpers.ts";

const HOUR = 495_000;
const packed = (entries: readonly (readonly [register: number, rank: number])[]): Uint8Array => {
  const sketch = newSketch();
  for (const [register, rank] of entries) sketch[register] = Math.max(sketch[register] as number, rank);
  return packSketch(sketch);
};

it("says what it did not know of an hour", () => {
  const day = new DaySketch();
  expect(hourOf(3_600_000 * 7 + 3_599_999)).toBe(7);
  expect([
    ...day.add(
      packed([
        [3, 5],
        [9, 1],
      ]),
      HOUR,
    ),
  ]).toEqual([3, 5, 9, 1]);
  expect([
    ...day.add(
      packed([
        [3, 4],
        [9, 2],
      ]),
      HOUR,
    ),
  ]).toEqual([9, 2]);
  expect([
    ...day.add(
      packed([
        [3, 5],
        [9, 2],
      ]),
      HOUR,
    ),
  ]).toEqual([]);
  expect([...day.add(packed([[3, 5]]), HOUR + 1)]).toEqual([3, 5]);
  // What was written before may be read after.
  expect([...day.add(packed([[3, 5]]), HOUR)]).toEqual([]);
});

it("has the names of the last 24 hours, each until 24 hours after it was last seen", () => {
  const day = new DaySketch();
  day.add(
    packed([
      [3, 9],
      [255, 33],
    ]),
    HOUR,
  );
  day.add(packed([[3, 4]]), HOUR + 10);
  expect([day.at(HOUR + 23)[3], day.at(HOUR + 23)[255]]).toEqual([9, 33]);
  expect([day.at(HOUR + 24)[3], day.at(HOUR + 24)[255]]).toEqual([4, 0]);
  expect(day.size).toBe(3);
  day.forget(HOUR + 24);
  expect(day.size).toBe(1);
  expect(day.at(HOUR + 34)).toEqual(newSketch());
});

it("equals the sketch of all of a day, or is below it where a register saw more than four ranks", () => {
  const seen = fc.record({
    hour: fc.nat(60),
    names: fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 33 })), { minLength: 1, maxLength: 4 }),
  });
  forAll([fc.array(seen, { maxLength: 12 })], (all) => {
    const day = new DaySketch();
    const inOrder = all.toSorted((a, b) => a.hour - b.hour);
    for (const { hour, names } of inOrder) day.add(packed(names), HOUR + hour);
    expect(day.size).toBeLessThanOrEqual(4 * 4);
    for (let hour = inOrder.at(-1)?.hour ?? 0; hour < 90; hour++) {
      const expected = newSketch();
      for (const { hour: its, names } of inOrder)
        if (its > hour - 24) mergePackedSketch(expected, packed(names));
      const made = day.at(HOUR + hour);
      for (let register = 0; register < 4; register++)
        expect(made[register]).toBeLessThanOrEqual(expected[register] as number);
      const ranks = (register: number): number =>
        new Set(
          inOrder.flatMap(({ names }) => names.filter(([it]) => it === register).map(([, rank]) => rank)),
        ).size;
      for (let register = 0; register < 4; register++)
        if (ranks(register) <= 4) expect(made[register]).toBe(expected[register]);
    }
  });
});

it("keeps the highest rank of a register, and then the newest, where there are more than four", () => {
  const day = new DaySketch();
  for (const [i, rank] of [9, 7, 6, 5, 4, 3].entries()) day.add(packed([[3, rank]]), HOUR + i);
  expect(day.size).toBe(4);
  expect([23, 24, 27, 28, 29].map((hours) => day.at(HOUR + hours)[3])).toEqual([9, 5, 4, 3, 0]);
});

it("keeps none that no longer counts in the place of one that does", () => {
  const day = new DaySketch();
  day.add(packed([[3, 9]]), HOUR);
  for (const [i, rank] of [7, 6, 5, 4].entries()) day.add(packed([[3, rank]]), HOUR + 24 + i);
  expect(day.at(HOUR + 28)[3]).toBe(7);
});

it("is the same whether the hours are read from the oldest or from the newest on", () => {
  const seen = fc.record({
    hour: fc.nat(22),
    names: fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 4 }),
  });
  forAll([fc.array(seen, { maxLength: 12 })], (all) => {
    const inOrder = all.toSorted((a, b) => a.hour - b.hour);
    const [oldestFirst, newestFirst] = [inOrder, inOrder.toReversed()].map((each) => {
      const day = new DaySketch();
      for (const { hour, names } of each) day.add(packed(names), HOUR + hour);
      return day;
    }) as [DaySketch, DaySketch];
    for (let hour = 22; hour < 48; hour++)
      expect(newestFirst.at(HOUR + hour)).toEqual(oldestFirst.at(HOUR + hour));
  });
});
