import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fingerprint, MAX_SHARD_BITS, shardOf, tailOf } from "../../src/directory/address/fingerprint.ts";
import {
  ACTIVE,
  countStates,
  DISABLED,
  decodeShard,
  emptyShard,
  encodeShard,
  entriesOf,
  FULL,
  findEntry,
  MAX_SHARD_ENTRIES,
  MOVED,
  SHARD_ENTRIES,
  shardBitsFor,
} from "../../src/directory/formats/shard.ts";
import {
  entriesFrom,
  faultOf,
  flipped,
  forAll,
  idOf,
  KEY,
  type List,
  packList,
  packShard,
  randomNumbers,
  succeeds,
  unaligned,
} from "./helpers.ts";

const TAILS = 2 ** 48;

/** States by tail, with tails that crowd a bucket, share a column or stand at the ends among the others. */
const states = (maxLength: number) =>
  fc
    .array(
      fc.tuple(
        fc.oneof(
          fc.maxSafeInteger().map((n) => Math.abs(n) % TAILS),
          fc.nat(255).map((low) => 7 * 2 ** 40 + 5 * 256 + low),
          fc.nat(300).map((high) => 9 * 2 ** 40 + high * 256 + 1),
          fc.nat(255).map((bucket) => bucket * 2 ** 40),
          fc.constantFrom(0, 1, TAILS - 1, TAILS - 256, 2 ** 40 - 1, 2 ** 40),
        ),
        fc.oneof(fc.constant(ACTIVE), fc.constantFrom(ACTIVE, DISABLED, FULL, MOVED)),
      ),
      { maxLength },
    )
    .map((pairs) => new Map(pairs));

/** The digest of a name whose tail is `tail`. */
function digestOf(tail: number): Uint8Array {
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  view.setUint16(4, Math.floor(tail / 2 ** 32));
  view.setUint32(6, tail % 2 ** 32);
  return digest;
}

const names = (count: number, prefix = "user"): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

function mixedList(count: number): List {
  return new Map(names(count).map((name, i) => [name, i % 50 === 0 ? 1 + ((i / 50) % 3) : ACTIVE]));
}

describe("a shard", () => {
  it("decodes to its entries, and finds each of them and no neighbour", () => {
    forAll([states(300), fc.nat(MAX_SHARD_BITS)], (entries, bits) => {
      const shard = decodeShard(packShard(entries, bits));
      expect(shard.bits).toBe(bits);
      expect(shard.count).toBe(entries.size);
      expect(entriesOf(shard)).toEqual(entriesFrom(entries));
      for (const [tail, state] of entries) {
        expect(findEntry(shard, digestOf(tail))).toBe(state);
        for (const near of [tail - 1, tail + 1, tail + 256, tail + 2 ** 40, tail ^ 1]) {
          if (near < 0 || near >= TAILS) continue;
          expect(findEntry(shard, digestOf(near))).toBe(entries.get(near) ?? -1);
        }
      }
    });
  });

  it("counts its entries by state", () => {
    forAll([states(100)], (entries) => {
      const count = (state: number) => [...entries.values()].filter((it) => it === state).length;
      expect(countStates(decodeShard(packShard(entries, 0)))).toEqual([0, 1, 2, 3].map(count));
    });
  });

  it("works in place, at any offset", () => {
    forAll([states(40), fc.integer({ min: 1, max: 7 })], (entries, offset) => {
      const bytes = packShard(entries, 0);
      expect(entriesOf(decodeShard(unaligned(bytes, offset)))).toEqual(entriesFrom(entries));
    });
  });

  it("works in a Buffer too, whose slices share memory", () => {
    const bytes = packShard(new Map([[5, FULL]]), 0);
    for (const offset of [0, 1, 2, 3, 4]) {
      const buffer = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
      expect(findEntry(decodeShard(buffer), digestOf(5))).toBe(FULL);
    }
  });

  it("is a pure function of its entries", () => {
    forAll([states(60)], (entries) => {
      const backwards = new Map([...entries].reverse());
      expect(packShard(backwards, 3)).toEqual(packShard(entries, 3));
    });
  });

  it.each([0, 1, 2, 255, 256, 257, SHARD_ENTRIES - 1, SHARD_ENTRIES, SHARD_ENTRIES + 1, MAX_SHARD_ENTRIES])(
    "of %i entries finds every one",
    (count) => {
      const next = randomNumbers(count);
      const entries = new Map<number, number>();
      while (entries.size < count) entries.set((next() % 2 ** 16) * 2 ** 32 + next(), next() % 4);
      const shard = decodeShard(packShard(entries, 0));
      const missed = [...entries].filter(([tail, state]) => findEntry(shard, digestOf(tail)) !== state);
      expect(missed).toEqual([]);
    },
  );

  it("may have all its entries in one bucket", () => {
    const entries = new Map(Array.from({ length: 5_000 }, (_, i) => [255 * 2 ** 40 + i * 999_983, i % 4]));
    const shard = decodeShard(packShard(entries, 0));
    for (const [tail, state] of entries) expect(findEntry(shard, digestOf(tail))).toBe(state);
    expect(findEntry(shard, digestOf(254 * 2 ** 40))).toBe(-1);
  });

  it("takes about five bytes an entry", () => {
    const [bytes] = packList(new Map(names(SHARD_ENTRIES).map((name) => [name, ACTIVE]))).shards;
    expect((bytes as Uint8Array).length / SHARD_ENTRIES).toBeLessThan(5.1);
  });

  it("holds as many entries as its offsets can count", () => {
    const tails = Float64Array.from({ length: MAX_SHARD_ENTRIES }, (_, i) => i);
    const states = new Uint8Array(MAX_SHARD_ENTRIES);
    expect(decodeShard(encodeShard({ tails, states }, 0, 0)).count).toBe(MAX_SHARD_ENTRIES);
  });

  it("without entries is that of an empty list", () => {
    const noEntries = { tails: new Float64Array(0), states: new Uint8Array(0) };
    expect(emptyShard()).toEqual(encodeShard(noEntries, 0, 0));
  });

  it("has its number among the others in its header, the low byte first", () => {
    const bytes = packShard(new Map(), MAX_SHARD_BITS, 0x0102);
    expect([...bytes.subarray(5, 8)]).toEqual([MAX_SHARD_BITS, 0x02, 0x01]);
    expect(decodeShard(bytes).index).toBe(0x0102);
  });

  it("refuses more entries than its offsets can count", () => {
    const tails = Float64Array.from({ length: MAX_SHARD_ENTRIES + 1 }, (_, i) => i);
    expect(() => encodeShard({ tails, states: new Uint8Array(tails.length) }, 0, 0)).toThrow(RangeError);
  });
});

describe("a damaged shard", () => {
  const entries = new Map([
    [3, ACTIVE],
    [3 + 256, DISABLED],
    [2 ** 40, FULL],
    [2 ** 40 + 1, ACTIVE],
    [TAILS - 1, MOVED],
  ]);
  const bytes = packShard(entries, 4);

  it("is recognised if truncated anywhere, and if bytes follow", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(faultOf(() => decodeShard(bytes.subarray(0, length)))).toBe("damaged");
    }
    expect(faultOf(() => decodeShard(Uint8Array.of(...bytes, 0)))).toBe("damaged");
  });

  it("is recognised by its content id for any flipped bit, and decoding throws only its own error", () => {
    const id = idOf(bytes);
    const noticed: boolean[] = [];
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const altered = flipped(bytes, bit);
      expect(idOf(altered)).not.toBe(id);
      noticed.push(!succeeds(() => decodeShard(altered)));
    }
    // Decoding alone cannot know a fingerprint from its neighbour, but knows everything about the rest.
    const columns = noticed.length - noticed.filter(Boolean).length;
    expect(columns).toBeLessThanOrEqual(8 * (5 * entries.size + 3 * 3 + 1));
  });

  /** A shard with a number written over: `u16` or `u32`, little-endian. */
  const written = (at: number, value: number, size: 1 | 2 | 4 = 4): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    const view = new DataView(copy.buffer);
    if (size === 4) view.setUint32(at, value, true);
    else if (size === 2) view.setUint16(at, value, true);
    else view.setUint8(at, value);
    return copy;
  };

  const exceptionsAt = 536 + 4 * 5 + 6;

  it.each([
    ["another magic", written(0, 0x12345678)],
    ["a format from the future", written(4, 2, 1)],
    ["a format of nothing", written(4, 0, 1)],
    ["more shards than there can be", written(5, MAX_SHARD_BITS + 1, 1)],
    ["a number past the last shard", written(6, 0xffff, 2)],
    ["the number behind the last shard", written(6, 2 ** 4, 2)],
    ["padding behind its table that is not zero", written(534, 1, 2)],
    ["a length that is a lie", written(8, bytes.length + 1)],
    ["a length of four thousand million", written(8, 0xffffffff)],
    ["more entries than its bytes", written(12, 6)],
    ["fewer entries than its bytes", written(12, 4)],
    ["four thousand million entries", written(12, 0xffffffff)],
    ["more exceptions than entries", written(16, 6)],
    ["four thousand million exceptions", written(16, 0xffffffff)],
    ["a first bucket that begins late", written(20, 1, 2)],
    ["buckets that go back", written(22, 0xffff, 2)],
    ["a last bucket that ends early", written(20 + 512, 4, 2)],
    ["entries out of order", written(536, 0xffffffff)],
    ["the same entry twice", written(536 + 4, 0)],
    ["odd padding that is not zero", written(536 + 25, 1, 1)],
    ["exceptions out of order", written(exceptionsAt, 9, 2)],
    ["an exception of an entry that is not there", written(exceptionsAt + 4, 5, 2)],
    ["the same exception twice", written(exceptionsAt + 2, 1, 2)],
    ["an exception that is none", written(exceptionsAt + 6, ACTIVE, 1)],
    ["a state from the future", written(exceptionsAt + 6, 4, 1)],
  ])("is recognised by %s", (_, altered) => {
    expect(faultOf(() => decodeShard(altered))).toBe("damaged");
  });

  it("of any bytes is refused, unless the encoder would write those bytes", () => {
    const edits = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    forAll(
      [fc.oneof(fc.uint8Array({ maxLength: 700 }), edits), fc.nat(bytes.length)],
      (noise, length) => {
        let altered = Uint8Array.from(bytes);
        if (noise instanceof Uint8Array) altered.set(noise.subarray(0, altered.length - length), length);
        else for (const [at, byte] of noise) altered[at] = byte;
        if (length % 3 === 0) altered = altered.slice(0, length);
        if (!succeeds(() => decodeShard(altered))) return;
        const shard = decodeShard(altered);
        expect(encodeShard(entriesOf(shard), shard.bits, shard.index)).toEqual(altered);
      },
      { numRuns: 3_000 },
    );
  });
});

describe("a list in shards", () => {
  const sizes: [size: number, bits: number][] = [
    [0, 0],
    [1, 0],
    [1, 5],
    [3_000, 0],
    [SHARD_ENTRIES, 0],
    [11_585, 0],
    [11_586, 1],
    [20_000, 1],
    [20_000, 9],
    [25_000, 2],
  ];

  it.each(sizes)("of %i names in 2^%i shards has every name, in its state", (size, bits) => {
    const list = mixedList(size);
    const packed = packList(list, KEY, bits);
    const shards = packed.shards.map(decodeShard);
    const missed = [...list].filter(([name, state]) => {
      const digest = fingerprint(KEY.names, name);
      return findEntry(shards[shardOf(digest, bits)] as (typeof shards)[0], digest) !== state;
    });
    expect(missed).toEqual([]);
    expect(shards.reduce((sum, shard) => sum + shard.count, 0)).toBe(size);
  });

  it("of 100,000 names has none of a million other names", () => {
    const list = new Map(names(100_000).map((name) => [name, ACTIVE]));
    const packed = packList(list);
    const shards = packed.shards.map(decodeShard);
    expect(packed.bits).toBe(4);
    // The bound is 100,000 / 2^(4 + 48) for each name: 2e-5 for all of them together.
    let matches = 0;
    for (let i = 0; i < 1_000_000; i++) {
      const digest = fingerprint(KEY.names, `nobody${i}`);
      if (findEntry(shards[shardOf(digest, packed.bits)] as (typeof shards)[0], digest) >= 0) matches++;
    }
    expect(matches).toBe(0);
  });

  it("has no more false matches than its bits allow", () => {
    // Digests that agree in shard, bucket and all but 16 bits bring the rate up to where it can be counted.
    const next = randomNumbers(48);
    const tails = new Map<number, number>();
    while (tails.size < 4_096) tails.set(next() % 2 ** 16, ACTIVE);
    const shard = decodeShard(packShard(tails, 0));
    let matches = 0;
    for (let i = 0; i < 50_000; i++) if (findEntry(shard, digestOf(next() % 2 ** 16)) >= 0) matches++;
    // 4,096 of 65,536 is one in 16, give or take five standard deviations.
    expect(Math.abs(matches - 3_125)).toBeLessThan(5 * Math.sqrt(3_125));
  });
});

describe("the number of shards", () => {
  it.each([
    [0, 0],
    [1, 0],
    [SHARD_ENTRIES, 0],
    [11_585, 0],
    [11_586, 1],
    [100_000, 4],
    [1_000_000, 7],
    [10_000_000, 10],
    [536_000_000, 16],
    [10 ** 12, MAX_SHARD_BITS],
  ])("for %i names is 2^%i", (entries, bits) => {
    expect(shardBitsFor(entries)).toBe(bits);
  });

  it("keeps shards well below their capacity, and above half of their planned size", () => {
    forAll([fc.integer({ min: SHARD_ENTRIES + 1, max: 500_000_000 })], (entries) => {
      const each = entries / 2 ** shardBitsFor(entries);
      expect(each).toBeLessThan(2 * SHARD_ENTRIES);
      expect(each).toBeGreaterThan(SHARD_ENTRIES / 2);
    });
  });

  it("in use is kept while shards stay between half and twice their planned size", () => {
    expect(shardBitsFor(2 * SHARD_ENTRIES, 0)).toBe(0);
    expect(shardBitsFor(2 * SHARD_ENTRIES + 1, 0)).toBe(1);
    expect(shardBitsFor(8 * SHARD_ENTRIES, 2)).toBe(2);
    expect(shardBitsFor(8 * SHARD_ENTRIES + 1, 2)).toBe(3);
    expect(shardBitsFor(2 * SHARD_ENTRIES, 2)).toBe(2);
    expect(shardBitsFor(2 * SHARD_ENTRIES - 1, 2)).toBe(1);
    expect(shardBitsFor(0, 0)).toBe(0);
    expect(shardBitsFor(0, 4)).toBe(0);
    expect(shardBitsFor(100, 99)).toBe(0);
    expect(shardBitsFor((SHARD_ENTRIES / 2) * 2 ** MAX_SHARD_BITS, MAX_SHARD_BITS)).toBe(MAX_SHARD_BITS);
    expect(shardBitsFor(10 ** 9, MAX_SHARD_BITS + 1)).toBe(MAX_SHARD_BITS);
  });

  it("changes rarely when a list grows and shrinks by a few names around any limit", () => {
    forAll([fc.integer({ min: 1, max: 50_000_000 })], (entries) => {
      const bits = shardBitsFor(entries);
      for (const now of [entries - 1, entries + 1, Math.ceil(entries * 1.3), Math.ceil(entries * 0.75)]) {
        expect(shardBitsFor(now, bits)).toBe(bits);
      }
    });
  });
});

describe("a tail", () => {
  it("sorts as a number, and depends on the digest only", () => {
    forAll(
      [fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ minLength: 32, maxLength: 32 })],
      (a, b) => {
        const hex = (digest: Uint8Array) => Buffer.from(digest.subarray(4, 10)).toString("hex");
        expect(tailOf(a).toString(16).padStart(12, "0")).toBe(hex(a));
        expect(tailOf(a) < tailOf(b)).toBe(hex(a) < hex(b));
      },
    );
  });

  it("is not the part of the digest that chooses the shard", () => {
    forAll([fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(MAX_SHARD_BITS)], (digest, bits) => {
      const binary = [...digest].map((byte) => byte.toString(2).padStart(8, "0")).join("");
      expect(shardOf(digest, bits)).toBe(bits === 0 ? 0 : Number.parseInt(binary.slice(0, bits), 2));
    });
  });
});
