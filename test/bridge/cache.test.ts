import { describe, expect, it } from "vitest";
import { AnswerCache, type CachedAnswer } from "../../src/bridge/answers/cache.ts";
import { MinGenerations } from "../../src/bridge/answers/min-generations.ts";
import { answerOf } from "./support/answers.ts";

const ALICE = "alice@example.com";

function entry(
  recipient: string,
  minGenerations: MinGenerations,
  verdict: "deliverable" | "unknown" = "deliverable",
): CachedAnswer {
  const domain = recipient.slice(recipient.indexOf("@") + 1);
  const minGeneration = minGenerations.get(domain);
  const answer = answerOf(recipient, verdict);
  return {
    answer,
    domain,
    minGeneration,
    expires: 1_000,
    contactAt: verdict === "deliverable" ? 0 : null,
    confirmedAt: verdict === "deliverable" ? 0 : null,
  };
}

describe("the minGenerations", () => {
  it("only rise, and know since when", () => {
    const minGenerations = new MinGenerations();
    minGenerations.raise("example.com", 1, 7, 100);
    minGenerations.raise("example.com", 1, 9, 200);
    minGenerations.raise("example.com", 1, 8, 300);
    minGenerations.raise("example.com", 1, 9, 400);
    expect(minGenerations.get("example.com")).toEqual({ incarnation: 1, generation: 9, at: 200 });
  });

  it("are bounded; an evicted minGeneration takes the cached answers of its domain along", () => {
    const minGenerations = new MinGenerations(2);
    const cache = new AnswerCache(100_000, minGenerations);
    minGenerations.raise("example.com", 1, 7, 0);
    cache.store(ALICE, entry(ALICE, minGenerations));
    minGenerations.raise("example.org", 1, 1, 0);
    expect(cache.fresh(ALICE, 0, null)).not.toBeNull();
    for (const domain of ["a.example", "b.example", "c.example"]) minGenerations.raise(domain, 1, 1, 0);
    expect(minGenerations.get("example.com")).toBeUndefined();
    expect(cache.fresh(ALICE, 0, null)).toBeNull();
    // Nor do they come back with a new minGeneration of the same height.
    cache.store(ALICE, {
      ...entry(ALICE, minGenerations),
      minGeneration: { incarnation: 1, generation: 7, at: 0 },
    });
    minGenerations.raise("example.com", 1, 7, 0);
    expect(cache.fresh(ALICE, 0, null)).toBeNull();
  });
});

describe("the cache", () => {
  it("of another size has the same answers, as many as it has room for, and goes on counting", () => {
    const minGenerations = new MinGenerations();
    const cache = new AnswerCache(100_000, minGenerations);
    for (let i = 0; i < 200; i++) {
      const [accepted, refused] = [`a${i}@example.com`, `n${i}@example.com`];
      cache.store(accepted, entry(accepted, minGenerations));
      cache.store(refused, entry(refused, minGenerations, "unknown"));
    }
    const { size, bytes, evictions } = cache;
    expect(evictions).toBeGreaterThan(0);
    const larger = cache.resized(200_000);
    expect(larger).toMatchObject({ size, bytes, evictions, maxBytes: 200_000 });
    expect(cache.resized(100_000)).toBe(cache);
    const smaller = larger.resized(20_000);
    expect(smaller.bytes).toBeLessThanOrEqual(20_000);
    for (const [it, isThere] of [
      [larger, true],
      [smaller, false],
    ] as const) {
      expect(it.fresh("a199@example.com", 0, null)).not.toBeNull();
      expect(it.fresh("n199@example.com", 0, null)).not.toBeNull();
      expect(it.fresh("a100@example.com", 0, null) !== null).toBe(isThere);
    }
  });

  it("has one answer to a question, the last", () => {
    const minGenerations = new MinGenerations();
    const cache = new AnswerCache(100_000, minGenerations);
    cache.store(ALICE, entry(ALICE, minGenerations));
    cache.store(ALICE, entry(ALICE, minGenerations, "unknown"));
    expect(cache.fresh(ALICE, 0, null)?.answer.verdict).toBe("unknown");
    expect(cache.underGrace(ALICE, 0, 1e9, null)).toBeNull();
    cache.store(ALICE, entry(ALICE, minGenerations));
    expect(cache.fresh(ALICE, 0, null)?.answer.verdict).toBe("deliverable");
    expect(cache.size).toBe(1);
    cache.forget(ALICE);
    expect(cache).toMatchObject({ size: 0, bytes: 0 });
  });

  it("is bounded in bytes, counts long addresses fully, and evicts the least recently used", () => {
    const minGenerations = new MinGenerations();
    const cache = new AnswerCache(100_000, minGenerations);
    const address = (i: number): string => `${"x".repeat(500)}${i}@example.com`;
    for (let i = 0; i < 200; i++) {
      cache.store(address(i), entry(address(i), minGenerations));
      expect(cache.bytes).toBeLessThanOrEqual(100_000);
      cache.fresh(address(0), 0, null);
    }
    expect(cache.size).toBeLessThan(40);
    expect(cache.evictions).toBe(200 - cache.size);
    expect(cache.fresh(address(0), 0, null)).not.toBeNull();
    expect(cache.fresh(address(1), 0, null)).toBeNull();
    expect(cache.fresh(address(199), 0, null)).not.toBeNull();
  });

  it("does not store an answer that is larger than the cache", () => {
    const minGenerations = new MinGenerations();
    const cache = new AnswerCache(1_000, minGenerations);
    const long = `${"x".repeat(1_000)}@example.com`;
    cache.store(long, entry(long, minGenerations));
    expect(cache.size).toBe(0);
  });
});
