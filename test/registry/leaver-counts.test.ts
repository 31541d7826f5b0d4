/* Names that left and were asked for, over a day and over starts of the Registry. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  addToSketch,
  estimate,
  fingerprint,
  newSketch,
  packSketch,
  type Sketch,
  toBase64Url,
} from "../../src/directory/index.ts";
import { LeaverCounts } from "../../src/registry/names/leaver-counts.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE } from "../../testing/world.ts";
import { D, Desk } from "./support.ts";

let desk: Desk;
let group: number;
let damages: unknown[];

beforeEach(async () => {
  desk = await new Desk().open();
  damages = [];
  await desk.publish(people(60));
  await desk.publish(people(40, 20), { force: true });
  group = (await desk.head())?.departures.groups?.groups[0]?.id ?? expect.fail("nobody left");
});

const storage = () => desk.world.registry().storage;
/** As a Registry that starts now has it. */
const begin = (): LeaverCounts => new LeaverCounts(storage(), desk.world.clock);
const sketchOf = (names: readonly string[]): Sketch => {
  const sketch = newSketch();
  for (const name of names) addToSketch(sketch, fingerprint(desk.world.keyFor(D).names, name));
  return sketch;
};
/** Counts names, and writes them. @returns about how many the day has */
function count(counts: LeaverCounts, names: readonly string[]): number {
  counts.add([[D, group, toBase64Url(packSketch(sketchOf(names)))]]);
  const day = counts.write((error) => damages.push(error)).get(D);
  return estimate(day?.get(group) ?? newSketch());
}
const rows = () => storage().sql("SELECT * FROM asked_leavers");

describe("names that were asked for", () => {
  it("count for a day, whether the Registry starts meanwhile or not", async () => {
    const kept = begin();
    const first = count(kept, people(5));
    const later = begin();
    for (const hours of [1, 12, 23]) {
      await desk.world.clock.advance(hours === 1 ? HOUR : 11 * HOUR);
      if (hours > 1) expect(count(later, [])).toBeGreaterThanOrEqual(first);
      const more = estimate(sketchOf(people(6)));
      expect(count(begin(), [people(6)[5] as string]), `${hours} hours, a new one`).toBe(more);
      expect(count(kept, [people(6)[5] as string]), `${hours} hours`).toBe(more);
    }
    await desk.world.clock.advance(2 * HOUR);
    for (const counts of [begin(), later, kept]) expect(count(counts, [])).toBeLessThan(first);
  });

  it("are forgotten a day later, also in storage", async () => {
    const counts = begin();
    count(counts, people(5));
    expect(rows()).toHaveLength(1);
    await desk.world.clock.advance(DAY + MINUTE);
    count(counts, people(1, 7));
    expect(rows()).toHaveLength(1);
  });

  it("of a row that is damaged are reported once, and those of others count", async () => {
    count(begin(), people(3));
    await desk.world.clock.advance(MINUTE);
    count(begin(), people(3, 3));
    storage().sql(
      "UPDATE asked_leavers SET packed = '[[' WHERE minute = (SELECT min(minute) FROM asked_leavers)",
    );
    await desk.world.clock.advance(MINUTE);
    expect(count(begin(), [])).toBe(estimate(sketchOf(people(3, 3))));
    expect(damages).toHaveLength(1);
    expect(rows()).toHaveLength(1);
    expect(count(begin(), [])).toBe(estimate(sketchOf(people(3, 3))));
    expect(damages).toHaveLength(1);
  });

  it("of another release's format, or of no group, are dropped", () => {
    const counts = begin();
    const text = toBase64Url(packSketch(sketchOf(people(3))));
    counts.add([
      [D, group, "!!"],
      ["unknown.example", group, text],
    ]);
    expect(counts.isEmpty).toBe(true);
  });
});
