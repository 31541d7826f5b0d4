import { describe, expect, it } from "vitest";
import { ACTIVE, DISABLED, FULL, MOVED } from "../../src/directory/formats/shard.ts";
import type { ListContent } from "../../src/directory/names/difference.ts";
import { nameChanges, nameChangesTo as nameChangesInSteps } from "../../src/directory/names/name-changes.ts";
import { MAX_TAILS } from "../../src/directory/names/tail-column.ts";
import { atOnce } from "../../src/directory/steps.ts";
import { packShard, repeatedShards, tableOf } from "./helpers.ts";

/** A list of tails in 2^bits shards; each shard holds those that `split` gives it. */
function list(shards: readonly ReadonlyMap<number, number>[], inline = shards.length === 1): ListContent {
  const bits = Math.log2(shards.length);
  const blobs = shards.map((entries, index) => packShard(entries, bits, index));
  return { table: tableOf(blobs, bits, inline), read: (index) => blobs[index] as Uint8Array };
}

const BEFORE = new Map([
  [10, ACTIVE],
  [20, FULL],
  [30, DISABLED],
  [40, MOVED],
  [50, ACTIVE],
  [60, ACTIVE],
]);
const AFTER = new Map([
  [10, DISABLED],
  [30, ACTIVE],
  [40, MOVED],
  [50, FULL],
  [60, ACTIVE],
  [70, ACTIVE],
  [80, DISABLED],
]);

const nameChangesTo = (...given: Parameters<typeof nameChangesInSteps>) =>
  atOnce(nameChangesInSteps(...given));

describe("the names that change between two lists", () => {
  it("are those that one accepts or defers and the other does not", () => {
    expect(atOnce(nameChanges(list([BEFORE]), list([AFTER])))).toEqual({
      gone: Float64Array.of(10, 20),
      back: Float64Array.of(30, 70),
      uncounted: 0,
    });
  });

  it("are the same if only the accepted tails of the later list are known", () => {
    const accepted = Float64Array.of(30, 50, 60, 70);
    const changes = { gone: Float64Array.of(10, 20), back: Float64Array.of(30, 70), uncounted: 0 };
    expect(nameChangesTo(list([BEFORE]), accepted)).toEqual(changes);
    const split = [new Map([...BEFORE].slice(0, 1)), new Map([...BEFORE].slice(1))];
    expect(nameChangesTo(list(split), accepted)).toEqual(changes);
    expect(nameChangesTo(list([BEFORE], false), accepted)).toEqual(changes);
  });

  it("are counted beyond those that can be held", () => {
    const bits = 6;
    const bytes = repeatedShards(60_000, bits);
    const before = { table: tableOf(bytes, bits), read: (index: number) => bytes[index] as Uint8Array };
    const { gone, uncounted } = nameChangesTo(before, new Float64Array(0));
    expect([gone.length, uncounted]).toEqual([MAX_TAILS, 64 * 60_000 - MAX_TAILS]);
    const nobody = list(bytes.map(() => new Map()));
    expect(atOnce(nameChanges(before, nobody)).uncounted).toBe(64 * 60_000 - MAX_TAILS);
  });
});
