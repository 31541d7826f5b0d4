import { describe, expect, it } from "vitest";
import type { Verdict } from "../../src/directory/index.ts";
import { ALICE, away, Bench, DAY, NOBODY, SECOND, says, TIMEOUT } from "./support/bench.ts";

describe("an answer of the edge", () => {
  it("is passed on, and reused for its max_age, counted from before the question", async () => {
    const bench = new Bench(says("unknown", { maxAge: 29 }));
    bench.latency = 400;
    expect(await bench.resolve(NOBODY)).toEqual({
      verdict: "unknown",
      action: "reject",
      source: "edge",
      took: 400,
    });
    await bench.time.advance(29 * SECOND - 400 - 1);
    expect(await bench.said(NOBODY)).toBe("unknown reject cache");
    await bench.time.advance(1);
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
    expect(bench.asked).toHaveLength(2);
  });

  it("serves every spelling of the same recipient", async () => {
    const bench = new Bench(says("deliverable"));
    for (const text of [
      "jörg@bücher.example",
      '"jörg"@BÜCHER.example.',
      "jo\u0308rg@xn--bcher-kva.example",
      "<jörg@XN--BCHER-KVA.EXAMPLE>",
    ]) {
      await bench.resolve(text);
    }
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual(["jörg@xn--bcher-kva.example"]);
  });

  it("does not serve another case, since case may be significant in a policy", async () => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.resolve("Alice@example.com");
    expect(bench.asked).toHaveLength(2);
  });

  it.each<Verdict>(["departed", "full"])("that defers (%s) is never cached", async (verdict) => {
    const bench = new Bench(says(verdict));
    for (let i = 0; i < 2; i++) expect(await bench.said(ALICE)).toBe(`${verdict} defer edge`);
    expect(bench.asked).toHaveLength(2);
  });

  it("that refuses and had expired when it arrived is a deferral", async () => {
    const bench = new Bench(says("unknown", { maxAge: 1 }));
    bench.latency = 999;
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
    bench.latency = 1_000;
    await bench.time.advance(SECOND);
    expect(await bench.said(NOBODY)).toBe("unavailable defer edge");
  });

  it("that refuses with a max_age of 0 is a deferral", async () => {
    const bench = new Bench(says("unknown", { maxAge: 0 }));
    expect(await bench.said(NOBODY)).toBe("unavailable defer edge");
  });

  it("is never cached longer than the longest window, whatever its max_age", async () => {
    const bench = new Bench(says("unknown", { maxAge: 1e300 }));
    await bench.resolve(NOBODY);
    await bench.time.advance(3_600 * SECOND);
    bench.edge = away;
    expect(await bench.said(NOBODY)).toBe("unavailable defer none");
  });
});

describe("the timeout", () => {
  it("holds when the edge hangs", async () => {
    const bench = new Bench(says("deliverable"));
    bench.latency = DAY;
    expect(await bench.resolve(ALICE)).toMatchObject({
      verdict: "unavailable",
      source: "none",
      took: TIMEOUT,
    });
  });

  it("leads to an accept under grace, if there is one", async () => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.latency = DAY;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace", took: TIMEOUT });
  });

  it("does not keep a later answer out of the cache", async () => {
    const bench = new Bench(says("unknown", { maxAge: 29 }));
    bench.latency = 4 * SECOND;
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", took: TIMEOUT });
    await bench.time.advance(SECOND);
    expect(await bench.said(NOBODY)).toBe("unknown reject cache");
  });

  it("leaves no timer behind when the question is answered", async () => {
    const bench = new Bench(says("deliverable"));
    await bench.resolve(ALICE);
    await bench.resolve(NOBODY);
    expect(bench.time.pending).toBe(0);
  });
});

describe("equal questions at the same time", () => {
  it("are one question to the edge", async () => {
    const bench = new Bench(says("deliverable"));
    bench.latency = 100;
    const asked = Array.from({ length: 50 }, (_, i) => bench.ask(i % 2 ? ALICE : "<alice@example.com.>"));
    await bench.time.advance(100);
    for (const { answer } of await Promise.all(asked)) expect(answer.verdict).toBe("deliverable");
    expect(bench.asked).toHaveLength(1);
  });

  it("are asked again after a failure", async () => {
    const bench = new Bench(away);
    await bench.resolve(ALICE);
    const before = bench.asked.length;
    bench.edge = says("deliverable");
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    expect(bench.asked).toHaveLength(before + 1);
  });
});

describe("memory", () => {
  it("is bounded in bytes, and refusals never push out the accepts that an outage needs", async () => {
    const cacheBytes = 200_000;
    const bench = new Bench(says("deliverable"), { cacheBytes });
    for (let i = 0; i < 50; i++) await bench.resolve(`user${i}@example.com`);
    bench.edge = says("unknown");
    for (let i = 0; i < 1_000; i++) await bench.resolve(`x${i}@example.com`);
    expect(bench.cache.bytes).toBeLessThanOrEqual(cacheBytes);
    expect(bench.cache.evictions).toBeGreaterThan(500);
    bench.edge = away;
    for (let i = 0; i < 50; i++) {
      expect(await bench.said(`user${i}@example.com`)).toBe("deliverable accept cache");
    }
  });
});
