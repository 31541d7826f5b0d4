import { describe, expect, it } from "vitest";
import { decodeShard } from "../../src/directory/index.ts";
import { BlobCache } from "../../src/reader/blob-cache.ts";
import {
  AMPLE,
  atHand,
  decode,
  heldOf,
  hold,
  make,
  names,
  READ_AT,
  requireRight,
  type Shape,
  sizeOfContents,
} from "./support/generations.ts";

/** Enough names for each of eight shards to have some. */
const MANY = names(200);
const ONE_MORE = [...MANY, "newcomer"];
const ALL_EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

describe("a generation that replaces another one", () => {
  it("keeps every shard that both name, and no other", () => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 3 }), true);
    hold(memory, make({ names: ONE_MORE, bits: 3 }));
    expect(atHand(memory, "shards")).toHaveLength(7);
    requireRight(memory, ["example.com"]);
    expect(memory.size).toBe(sizeOfContents(memory, ["example.com"]));
  });

  it("keeps departures likewise", () => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 1, left: [100, 200] }), true);
    hold(memory, make({ names: MANY, bits: 1, left: [100, 300] }));
    expect(atHand(memory, "departures")).toEqual([0]);
    expect(atHand(memory, "shards")).toEqual([0, 1]);
    requireRight(memory, ["example.com"]);
  });

  it("keeps a shard through many generations", () => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 3 }), true);
    for (let i = 0; i < 10; i++) hold(memory, make({ names: MANY, bits: 3 }));
    expect(atHand(memory, "shards")).toEqual(ALL_EIGHT);
    expect(memory.size).toBe(sizeOfContents(memory, ["example.com"]));
  });

  it.each<[string, Partial<Shape>, Partial<Shape>]>([
    ["more bits", { bits: 2 }, { bits: 3 }],
    ["fewer bits", { bits: 3 }, { bits: 2 }],
    ["its only shard inside", { bits: 1 }, { bits: 0, isInline: true }],
    ["blobs, where the one before had its only shard inside", { bits: 0, isInline: true }, { bits: 1 }],
  ])("keeps nothing if it has %s", (_, before, after) => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 0, ...before }), true);
    const { manifest } = make({ names: MANY, bits: 0, ...after });
    memory.put(manifest, READ_AT);
    expect(atHand(memory, "shards")).toEqual([]);
    const alone = new BlobCache(AMPLE);
    alone.put(manifest, READ_AT);
    expect(memory.size).toBe(alone.size);
  });

  it("keeps an only shard that is a blob of its own, and not one that was inline", () => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 0 }), true);
    hold(memory, make({ names: MANY, bits: 0 }));
    expect(atHand(memory, "shards")).toEqual([0]);
    hold(memory, make({ names: MANY, bits: 0, isInline: true }));
    hold(memory, make({ names: MANY, bits: 0 }));
    expect(atHand(memory, "shards")).toEqual([]);
  });

  it("keeps them across logs: the id alone identifies them", () => {
    const memory = new BlobCache(AMPLE);
    hold(memory, make({ names: MANY, bits: 3, incarnation: 1 }), true);
    hold(memory, make({ names: MANY, bits: 3 }));
    hold(memory, make({ names: MANY, bits: 3, incarnation: 1_999_999_999_999 }));
    expect(atHand(memory, "shards")).toEqual(ALL_EIGHT);
  });

  it("uses a shard that was being read for the previous one, if both name it", () => {
    const memory = new BlobCache(AMPLE);
    const first = make({ names: MANY, bits: 3 });
    const second = make({ names: ONE_MORE, bits: 3 });
    const before = hold(memory, first);
    const after = hold(memory, second);
    first.blobs.shards.forEach((bytes, index) => {
      memory.putBlob(before, "shards", index, decodeShard(bytes));
    });
    expect(atHand(memory, "shards")).toHaveLength(7);
    requireRight(memory, ["example.com"]);
    expect(memory.size).toBe(sizeOfContents(memory, ["example.com"]));
    expect(heldOf(memory)).toBe(after);
  });
});

describe("a shard that two generations share", () => {
  it("is in memory for neither once it is evicted, and can be read again", () => {
    const [first, second] = [make({ names: MANY, bits: 3 }), make({ names: ONE_MORE, bits: 3 })];
    // Room for this domain, and not for a second one.
    const sizing = new BlobCache(AMPLE);
    hold(sizing, first, true);
    const memory = new BlobCache(sizing.size + 2_000);
    const before = hold(memory, first, true);
    const after = hold(memory, second, true);
    memory.get("example.com");
    hold(memory, make({ domain: "other.example", names: MANY, bits: 0 }), true);
    const left = atHand(memory, "shards");
    expect(left.length).toBeLessThan(8);
    for (const index of ALL_EIGHT) {
      if (!left.includes(index)) expect(before.shard(index)).toBeUndefined();
    }
    const lost = ALL_EIGHT.find((index) => !left.includes(index)) as number;
    memory.putBlob(after, "shards", lost, decodeShard(second.blobs.shards[lost] as Uint8Array));
    expect(after.shard(lost)).toBeDefined();
    expect(memory.size).toBe(sizeOfContents(memory, ["example.com", "other.example"]));
  });

  it("stays when the older one is evicted, and goes with the newer one", () => {
    const memory = new BlobCache(AMPLE);
    const before = hold(memory, make({ names: MANY, bits: 3 }), true);
    const after = hold(memory, make({ names: MANY, bits: 3 }));
    const { size } = memory;
    memory.delete(before);
    expect(memory.size).toBe(size);
    expect(atHand(memory, "shards")).toEqual(ALL_EIGHT);
    memory.delete(after);
    expect(memory.peek("example.com")).toBeUndefined();
    expect(memory.size).toBe(0);
    expect(before.shard(0)).toBeUndefined();
  });
});

describe("the limit of the cache", () => {
  /** Eleven generations of one size. */
  const all = Array.from({ length: 11 }, (_, i) =>
    make({ domain: `d${String.fromCharCode(97 + i)}.example`, names: ["alice"], bits: 0, generation: 7 }),
  );
  const domains = all.map(({ manifest }) => manifest.domain);
  const one = new BlobCache(AMPLE);
  hold(one, all[0] as (typeof all)[number]);
  const size = one.size;

  it("may be used up to its last byte; past it, a tenth is freed, the least recently used first", () => {
    const memory = new BlobCache(10 * size);
    for (const each of all.slice(0, 10)) hold(memory, each);
    expect(memory.size).toBe(10 * size);
    expect(domains.filter((domain) => memory.peek(domain) !== undefined)).toEqual(domains.slice(0, 10));
    hold(memory, all[10] as (typeof all)[number]);
    expect(memory.size).toBe(9 * size);
    expect(domains.filter((domain) => memory.peek(domain) !== undefined)).toEqual(domains.slice(2));
  });

  it("never evicts what was just added: a list larger than the cache is still answered from", () => {
    const memory = new BlobCache(size - 1);
    for (const each of all) {
      hold(memory, each);
      expect(domains.filter((domain) => memory.peek(domain) !== undefined)).toEqual([each.manifest.domain]);
    }
  });
});

describe("the same generation again", () => {
  it("keeps its entry and its blobs, and the later time of reading", () => {
    const memory = new BlobCache(AMPLE);
    const made = make({ names: MANY, bits: 1 });
    const held = hold(memory, made, true);
    memory.put(made.manifest, READ_AT + 5);
    memory.put(made.manifest, READ_AT + 2);
    expect(memory.peek("example.com")).toBe(held);
    expect(held.readAt).toBe(READ_AT + 5);
    expect(atHand(memory, "shards")).toEqual([0, 1]);
  });

  it("takes no blob once it was removed", () => {
    const memory = new BlobCache(AMPLE);
    const made = make({ names: MANY, bits: 1 });
    const held = hold(memory, made);
    memory.delete(held);
    memory.putBlob(held, "shards", 0, decode("shards", made.blobs.shards[0] as Uint8Array));
    expect(memory.size).toBe(0);
  });
});
