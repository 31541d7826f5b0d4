import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { Shard } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { MINUTE, World } from "../../testing/world.ts";

const MB = 1024 * 1024;
const BIG = "big.example";

describe("an isolate's memory", () => {
  it("stays within its bounds, and answers correctly, even if the lists do not fit", async () => {
    const world = new World();
    const publisher = world.isolate();
    const domains = Array.from({ length: 120 }, (_, i) => `d${i}.example`);
    const list = people(800);
    for (const domain of domains) await world.publish(publisher, domain, list);
    await world.clock.advance(MINUTE);
    const small = world.isolate("small", { cacheBytes: MB });
    let reads = 0;
    for (let round = 0; round < 2; round++) {
      for (const domain of domains) {
        for (const [local, verdict] of [
          ["u7", "deliverable"],
          ["nobody", "unknown"],
        ] as const) {
          const answer = await small.check(`${local}@${domain}`);
          expect([domain, answer.verdict]).toEqual([domain, verdict]);
          reads += answer.cost.kv;
          await small.idle();
          expect(small.reader.cache.size).toBeLessThanOrEqual(MB);
        }
      }
    }
    expect(reads).toBeGreaterThan(domains.length);
    expect(small.violations).toEqual([]);
  });

  it("releases the bytes of an evicted shard while its manifest stays", async () => {
    const world = new World();
    const publisher = world.isolate();
    const bits = 3;
    await world.publish(publisher, BIG, people(8_192 * 5), { bits });
    for (let i = 0; i < 16; i++) await world.publish(publisher, `d${i}.example`, people(5_000));
    await world.clock.advance(MINUTE);
    const small = world.isolate("small", { cacheBytes: MB });
    for (let i = 0; i < 200; i++) await small.check(`u${i}@${BIG}`);
    await small.idle();
    const shards = shardsOf(small, bits);
    expect(shards.length).toBe(2 ** bits);
    for (let i = 0; i < 60; i++) {
      // The manifest is used all the time, its shards are not.
      small.reader.cache.get(BIG);
      await small.check(`u1@d${i % 16}.example`);
    }
    expect(small.reader.cache.peek(BIG)).toBeDefined();
    const evicted = 2 ** bits - shardsOf(small, bits).length;
    expect(evicted).toBeGreaterThan(0);
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(shards.filter((shard) => shard.deref() === undefined).length).toBeGreaterThanOrEqual(evicted);
  });
});

/** Shards of the large list that are in memory. Does not count as use of them. */
function shardsOf({ reader }: IsolateHost, bits: number): WeakRef<Shard>[] {
  const held = reader.cache.peek(BIG);
  return Array.from({ length: 2 ** bits }, (_, index) => held?.shard(index))
    .filter((shard) => shard !== undefined)
    .map((shard) => new WeakRef(shard));
}
