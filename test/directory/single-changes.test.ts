import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeShard, encodeShard, entriesOf } from "../../src/directory/formats/shard.ts";
import {
  changedShard,
  changesByShard,
  decodeKept,
  decodePatched,
  encodeKept,
  encodePatched,
  fingerprintIn,
  recount,
  UNLISTED,
} from "../../src/directory/formats/single-changes.ts";
import { faultOf } from "./helpers.ts";

const STATE = fc.constantFrom(UNLISTED, 0, 1, 2, 3);
const FINGERPRINT = fc.uint8Array({ minLength: 10, maxLength: 10 });

describe("names that single changes changed", () => {
  it("are stored in twelve bytes each: fingerprint, state before, state now", () => {
    const fingerprint = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const bytes = encodePatched([{ fingerprint, was: UNLISTED, state: 2 }]);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255, 2]);
    expect(UNLISTED).toBe(-1);
  });

  it("are read as they were stored", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ fingerprint: FINGERPRINT, was: STATE, state: STATE })), (names) => {
        expect(decodePatched(encodePatched(names))).toEqual(names);
      }),
    );
  });

  it.each([1, 11, 13, 23])("of %i bytes are damaged", (length) => {
    expect(faultOf(() => decodePatched(new Uint8Array(length)))).toBe("damaged");
    expect(() => decodePatched(new Uint8Array(length))).toThrow(`changed names of ${length} bytes`);
  });

  it("are kept in eleven bytes each: fingerprint, state by the publisher", () => {
    const fingerprint = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect([...encodeKept([{ fingerprint, listed: UNLISTED }])]).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255,
    ]);
    fc.assert(
      fc.property(fc.array(fc.record({ fingerprint: FINGERPRINT, listed: STATE })), (names) => {
        expect(decodeKept(encodeKept(names))).toEqual(names);
      }),
    );
    expect(faultOf(() => decodeKept(new Uint8Array(12)))).toBe("damaged");
    expect(() => decodeKept(new Uint8Array(10))).toThrow("kept names of 10 bytes");
  });

  it("have the first ten bytes of a digest, in a copy", () => {
    const digest = Uint8Array.from({ length: 32 }, (_, i) => i);
    const print = fingerprintIn(digest);
    digest.fill(0);
    expect([...print]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("a shard after single changes", () => {
  const TAIL = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 2 ** 48 - 1 }));
  const LISTED = fc.integer({ min: 0, max: 3 });

  it("is the shard of the changed list", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(TAIL, LISTED), { maxLength: 60 }),
        fc.array(fc.tuple(TAIL, STATE), { maxLength: 30 }),
        fc.constantFrom<[number, number]>([0, 0], [3, 5]),
        (listed, changed, [bits, index]) => {
          const shardOf = (list: ReadonlyMap<number, number>): Uint8Array => {
            const sorted = [...list].sort(([a], [b]) => a - b);
            const tails = Float64Array.from(sorted, ([tail]) => tail);
            return encodeShard({ tails, states: Uint8Array.from(sorted, ([, state]) => state) }, bits, index);
          };
          const list = new Map(listed);
          const before = shardOf(list);
          const changes = new Map(changed);
          for (const [tail, state] of changes) {
            if (state === UNLISTED) list.delete(tail);
            else list.set(tail, state);
          }
          expect(changedShard(before, changes)).toEqual(shardOf(list));
          expect(entriesOf(decodeShard(changedShard(before, new Map()))).tails).toEqual(
            entriesOf(decodeShard(before)).tails,
          );
        },
      ),
    );
  });
});

describe("changes of a list", () => {
  it("are grouped by shard, and the last one of a name counts", () => {
    const changes = [
      { shard: 3, tail: 7, state: 1 },
      { shard: 0, tail: 7, state: 0 },
      { shard: 3, tail: 5, state: UNLISTED },
      { shard: 3, tail: 7, state: 2 },
    ];
    const grouped = [...changesByShard(changes)].map(([shard, states]) => [shard, ...states]);
    expect(grouped).toEqual([
      [3, [7, 2], [5, UNLISTED]],
      [0, [7, 0]],
    ]);
  });

  it("change its counts by what the shard before and the shard after have", () => {
    const shardWith = (...counts: readonly number[]): Uint8Array => {
      const states = counts.flatMap((count, state) => new Array<number>(count).fill(state));
      return encodeShard({ tails: Float64Array.from(states.keys()), states: Uint8Array.from(states) }, 0, 0);
    };
    const before = { active: 100, disabled: 200, full: 300, moved: 400 };
    expect(recount(before, shardWith(1, 2, 3, 4), shardWith(50, 40, 30, 20))).toEqual({
      active: 149,
      disabled: 238,
      full: 327,
      moved: 416,
    });
    expect(recount(before, shardWith(9, 8, 7, 6), shardWith())).toEqual({
      active: 91,
      disabled: 192,
      full: 293,
      moved: 394,
    });
  });
});
