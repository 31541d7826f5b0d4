import { describe, expect, it } from "vitest";
import { ClientError } from "../../src/client/index.ts";
import type { Answer, Verdict } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { ACCEPT_GRACE, away, Bench, DAY, TIMEOUT } from "./support/bench.ts";

const ALICE = "alice@example.com";
const NOBODY = "nobody@example.com";

const SECOND = 1_000;

/** An edge that says one verdict of everybody. */
const saying = (verdict: Verdict, grounds = {}): Bench =>
  new Bench(({ recipient }) => answerOf(recipient, verdict, grounds));

describe("an answer of the edge", () => {
  it("is passed on, and used again for its max_age, counted from before the question", async () => {
    const bench = saying("unknown", { maxAge: 29 });
    bench.latency = 400;
    expect(await bench.resolve(NOBODY)).toEqual({
      verdict: "unknown",
      action: "reject",
      source: "edge",
      took: 400,
    });
    await bench.time.advance(29 * SECOND - 400 - 1);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", source: "cache" });
    await bench.time.advance(1);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", source: "edge" });
    expect(bench.asked).toHaveLength(2);
  });

  it("serves every spelling of the same recipient", async () => {
    const bench = saying("deliverable");
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

  it("does not serve another case, since a policy may tell them apart", async () => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.resolve("Alice@example.com");
    expect(bench.asked).toHaveLength(2);
  });

  it.each<Verdict>(["departed", "full"])("that defers (%s) is never kept", async (verdict) => {
    const bench = saying(verdict);
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict, action: "defer", source: "edge" });
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict, source: "edge" });
    expect(bench.asked).toHaveLength(2);
  });

  it("that refuses and was too old when it arrived is a deferral", async () => {
    const bench = saying("unknown", { maxAge: 1 });
    bench.latency = 999;
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown" });
    bench.latency = 1_000;
    await bench.time.advance(SECOND);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
  });

  it("that refuses for no time at all is a deferral", async () => {
    const bench = saying("unknown", { maxAge: 0 });
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
  });

  it("is never kept longer than the longest window there is, whatever it says", async () => {
    const bench = saying("unknown", { maxAge: 1e300 });
    await bench.resolve(NOBODY);
    await bench.time.advance(3_600 * SECOND);
    bench.edge = away;
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable" });
  });
});

describe("while the edge is away", () => {
  it("a recipient that is not known is deferred", async () => {
    const bench = new Bench(away);
    expect(await bench.resolve(ALICE)).toMatchObject({
      verdict: "unavailable",
      action: "defer",
      source: "none",
    });
  });

  it("an accept goes on for accept-grace, the age that it was vouched for included", async () => {
    const bench = saying("deliverable", { confirmedAge: 600, maxAge: 20 });
    await bench.resolve(ALICE);
    bench.edge = away;
    await bench.time.advance(ACCEPT_GRACE - 601 * SECOND);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
    await bench.time.advance(2 * SECOND);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none" });
  });

  it("an accept that nobody confirmed does not go on", async () => {
    const bench = saying("deliverable", { confirmedAge: null, maxAge: 0 });
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
  });

  it("an accept that nobody confirmed leaves an earlier one, which was confirmed, as it is", async () => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable", { confirmedAge: null, maxAge: 0 });
    expect(await bench.resolve(ALICE)).toMatchObject({ source: "edge" });
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
  });

  it("an accept from an export in KV goes on: KV is its own evidence", async () => {
    const bench = saying("deliverable", { confirmedAge: null, maxAge: 0, origin: "kv" });
    await bench.resolve(ALICE);
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
  });

  it("a refusal is given to the end of its max_age and never past it", async () => {
    const bench = saying("unknown", { maxAge: 29 });
    await bench.resolve(NOBODY);
    bench.edge = away;
    await bench.time.advance(29 * SECOND - 1);
    expect(await bench.resolve(NOBODY)).toMatchObject({ action: "reject", source: "cache" });
    await bench.time.advance(1);
    expect(await bench.resolve(NOBODY)).toMatchObject({ action: "defer", source: "none" });
  });

  it("an accept in observe mode goes on as any other", async () => {
    const bench = saying("unknown", { mode: "observe" });
    await bench.resolve(NOBODY);
    await bench.time.advance(DAY);
    bench.edge = away;
    expect(await bench.resolve(NOBODY)).toMatchObject({
      verdict: "unknown",
      action: "accept",
      source: "grace",
    });
  });

  it.each<Verdict>(["unavailable", "throttled"])(
    "its word %s is no knowledge: an accept goes on",
    async (verdict) => {
      const bench = saying("deliverable");
      await bench.resolve(ALICE);
      await bench.time.advance(60 * SECOND);
      bench.edge = ({ recipient }) => answerOf(recipient, verdict, { generation: null });
      expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace" });
      expect(await bench.resolve(NOBODY)).toMatchObject({ verdict, action: "defer", source: "edge" });
    },
  );

  it.each<[Verdict, string]>([
    ["unknown", "reject"],
    ["departed", "defer"],
    ["full", "defer"],
  ])("an accept does not come back after the edge has said %s", async (verdict, action) => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = ({ recipient }) => answerOf(recipient, verdict);
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict, action, source: "edge" });
    await bench.time.advance(60 * SECOND);
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none" });
  });
});

describe("time", () => {
  it("never runs out for whoever asks: an edge that hangs is a deferral within the budget", async () => {
    const bench = saying("deliverable");
    bench.latency = DAY;
    expect(await bench.resolve(ALICE)).toMatchObject({
      verdict: "unavailable",
      source: "none",
      took: TIMEOUT,
    });
  });

  it("an accept that is under grace is given when the edge hangs", async () => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.latency = DAY;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace", took: TIMEOUT });
  });

  it("an answer that comes too late for its question is remembered for the next", async () => {
    const bench = saying("unknown", { maxAge: 29 });
    bench.latency = 4 * SECOND;
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", took: TIMEOUT });
    await bench.time.advance(SECOND);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", source: "cache" });
  });

  it("is given back: no timer is left behind by questions that were answered", async () => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.resolve(NOBODY);
    expect(bench.time.pending).toBe(0);
  });
});

describe("equal questions at the same time", () => {
  it("are one question to the edge", async () => {
    const bench = saying("deliverable");
    bench.latency = 100;
    const asked = Array.from({ length: 50 }, (_, i) =>
      bench.resolver.resolve(i % 2 ? ALICE : "<alice@example.com.>"),
    );
    await bench.time.advance(100);
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ answer }) => answer.verdict))).toEqual(new Set(["deliverable"]));
    expect(bench.asked).toHaveLength(1);
  });

  it("are put again once they failed", async () => {
    const bench = new Bench(away);
    await bench.resolve(ALICE);
    const before = bench.asked.length;
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept" });
    expect(bench.asked).toHaveLength(before + 1);
  });
});

describe("a broken connection", () => {
  it("is tried once more at once", async () => {
    const answers = [away(), answerOf(ALICE, "deliverable")];
    const bench = new Bench(() => answers.shift() as Answer | ClientError);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
    expect(bench.asked).toHaveLength(2);
  });

  it("is not tried for ever", async () => {
    const bench = new Bench(away);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
    expect(bench.asked).toHaveLength(2);
  });

  it.each([
    ["a status", new ClientError("unreachable", "HTTP 502", 502)],
    ["a stranger's page", new ClientError("protocol", "no edge", 200)],
    ["refused credentials", new ClientError("unauthorized", "no", 401)],
  ])("is not what %s is", async (_, why) => {
    const bench = new Bench(() => why);
    await bench.resolve(ALICE);
    expect(bench.asked).toHaveLength(1);
  });
});

describe("generations", () => {
  /** An edge of two isolates: the one answers from `generations` in turn, the last of them for ever. */
  const isolates = (...answers: readonly [Verdict, number | null, object?][]): Bench => {
    const left = [...answers];
    return new Bench(({ recipient }) => {
      const [verdict, generation, grounds = {}] = (
        left.length > 1 ? left.shift() : left[0]
      ) as (typeof answers)[0];
      return answerOf(recipient, verdict, { generation, ...grounds });
    });
  };

  it("go along with the question: the highest that was seen of that domain", async () => {
    const bench = isolates(["deliverable", 7], ["deliverable", 9], ["deliverable", 9]);
    await bench.resolve("a@example.com");
    await bench.resolve("b@example.com");
    await bench.resolve("c@example.com");
    await bench.resolve("d@example.org");
    expect(bench.asked.map(({ domain, minGeneration }) => [domain, minGeneration])).toEqual([
      ["example.com", 0],
      ["example.com", 7],
      ["example.com", 9],
      ["example.org", 0],
    ]);
  });

  it("a cached answer below one seen since does not count any more", async () => {
    for (const verdict of ["deliverable", "unknown"] as const) {
      const bench = isolates([verdict, 7], ["deliverable", 8], ["departed", 8]);
      await bench.resolve(ALICE);
      expect(await bench.resolve(ALICE)).toMatchObject({ verdict, source: "cache" });
      await bench.resolve("b@example.com");
      expect(await bench.resolve(ALICE)).toMatchObject({ verdict: "departed", source: "edge" });
    }
  });

  it("an accept below one seen since does not go on while the edge is away", async () => {
    const bench = isolates(["deliverable", 7], ["deliverable", 8]);
    await bench.resolve(ALICE);
    await bench.resolve("b@example.com");
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none" });
  });

  it("an older refusal makes the bridge ask once more, and is a deferral if it stays", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7]);
    await bench.resolve(ALICE);
    expect(await bench.resolve(NOBODY)).toMatchObject({
      verdict: "unavailable",
      action: "defer",
      source: "edge",
    });
    expect(bench.asked).toHaveLength(3);
    await bench.resolve(NOBODY);
    expect(bench.asked).toHaveLength(5);
  });

  it("an older accept makes the bridge ask once more, and is then used, but not kept", async () => {
    const bench = isolates(["deliverable", 8], ["deliverable", 7]);
    await bench.resolve("b@example.com");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
    expect(bench.asked).toHaveLength(3);
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
  });

  it("the newer isolate's answer counts, when it is asked second", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7], ["deliverable", 8]);
    await bench.resolve("b@example.com");
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict: "deliverable", source: "edge" });
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict: "deliverable", source: "cache" });
  });

  it("an older answer does not undo what was seen", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7], ["unknown", 7], ["unknown", 8]);
    await bench.resolve("b@example.com");
    await bench.resolve(NOBODY);
    expect(bench.minGenerations.get("example.com")?.generation).toBe(8);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", source: "edge" });
  });

  it("a minGeneration that rises while a question is under way counts for its answer", async () => {
    const bench = isolates(["unknown", 7]);
    bench.latency = 1_500;
    const asked = Promise.resolve(bench.resolver.resolve(NOBODY));
    await bench.time.advance(500);
    bench.minGenerations.raise("example.com", 1, 8, 500);
    await bench.time.advance(1_000);
    expect((await asked).answer.verdict).toBe("unavailable");
  });

  it("not-served counts once the Registry was asked after the domain was last seen", async () => {
    const gone: [Verdict, null, object] = ["not-served", null, { confirmedAge: 10 }];
    const bench = isolates(["deliverable", 8], gone);
    await bench.resolve(ALICE);
    await bench.time.advance(9 * SECOND);
    // The isolate that says so has asked before generation 8 was there.
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
    await bench.time.advance(2 * SECOND);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "not-served", action: "reject" });
  });

  it("not-served that nobody confirmed does not count against a domain that was seen", async () => {
    const bench = isolates(["deliverable", 8], ["not-served", null, { confirmedAge: null }]);
    await bench.resolve(ALICE);
    await bench.time.advance(DAY);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
  });

  it("not-served of a domain that came to be does not count", async () => {
    const bench = isolates(["not-served", null], ["deliverable", 8], ["unknown", 8]);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "not-served" });
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "not-served", source: "cache" });
    await bench.resolve(ALICE);
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", source: "edge" });
  });
});

describe("faults", () => {
  it("of the client are deferrals, and are told of", async () => {
    const bench = new Bench(() => {
      throw new Error("broken");
    });
    expect(await bench.resolve(ALICE)).toMatchObject({ verdict: "unavailable", source: "none" });
    expect(bench.faults).toEqual([new Error("broken")]);
  });

  it("do not take a place at the gate with them", async () => {
    const bench = new Bench(
      () => {
        throw new Error("broken");
      },
      { width: 1 },
    );
    for (let i = 0; i < 3; i++) await bench.resolve(`user${i}@example.com`);
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept" });
  });
});

describe("a burst", () => {
  it("is let through to the edge a bounded number at a time, and answered whole", async () => {
    const bench = new Bench(({ recipient }) => answerOf(recipient, "deliverable"), { width: 4 });
    bench.latency = 100;
    const asked = Array.from({ length: 20 }, (_, i) =>
      Promise.resolve(bench.resolver.resolve(`u${i}@example.com`)),
    );
    await bench.time.advance(0);
    expect(bench.asked).toHaveLength(4);
    await bench.time.advance(100);
    expect(bench.asked).toHaveLength(8);
    await bench.time.advance(400);
    expect((await Promise.all(asked)).every(({ answer }) => answer.action === "accept")).toBe(true);
  });

  it("is deferred where too many wait, and where the wait was too long", async () => {
    const bench = new Bench(({ recipient }) => answerOf(recipient, "deliverable"), { width: 1, waiting: 2 });
    bench.latency = 2_000;
    const asked = Array.from({ length: 4 }, (_, i) =>
      Promise.resolve(bench.resolver.resolve(`u${i}@example.com`)),
    );
    await bench.time.advance(TIMEOUT);
    const answers = (await Promise.all(asked)).map(({ answer, source }) => [answer.verdict, source]);
    expect(answers).toEqual([
      ["deliverable", "edge"],
      ["unavailable", "none"],
      ["unavailable", "none"],
      ["unavailable", "none"],
    ]);
    await bench.time.advance(DAY);
    // The second was still asked in time to be remembered; the third had nobody left to be asked for.
    expect(bench.asked.map(({ recipient }) => recipient)).toEqual(["u0@example.com", "u1@example.com"]);
  });
});

describe("an edge that fails", () => {
  const fail = async (bench: Bench, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await bench.resolve(`user${i}@example.com`);
  };

  it("is asked one question at a time after five failures in a row; the others are deferred at once", async () => {
    const bench = new Bench(() => new ClientError("unreachable", "HTTP 502", 502));
    await fail(bench, 5);
    expect(bench.breaker.state).toBe("open");
    const before = bench.asked.length;
    const asked = Array.from({ length: 10 }, (_, i) =>
      Promise.resolve(bench.resolver.resolve(`v${i}@example.com`)),
    );
    await bench.time.advance(1);
    expect(bench.asked.length - before).toBe(0);
    await bench.time.advance(1_000);
    expect((await Promise.all(asked)).every(({ answer }) => answer.action === "defer")).toBe(true);
    expect(bench.asked.length - before).toBe(1);
  });

  it("is asked again by the next question after it has recovered, which is answered", async () => {
    const bench = new Bench(() => new ClientError("unreachable", "HTTP 502", 502));
    await fail(bench, 20);
    bench.edge = ({ recipient }) => answerOf(recipient, "deliverable");
    const answer = await bench.resolve(ALICE);
    expect(answer).toMatchObject({ action: "accept", source: "edge" });
    expect(answer.took).toBeLessThanOrEqual(1_000);
    expect(bench.breaker.state).toBe("closed");
  });

  it("costs nobody but one his patience while it hangs", async () => {
    const bench = saying("deliverable");
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    bench.edge = async () => {
      await bench.time.timers.sleep(TIMEOUT);
      return away();
    };
    for (let i = 0; i < 5; i++) await bench.resolve(`user${i}@example.com`);
    expect(bench.breaker.state).toBe("open");
    const first = Promise.resolve(bench.resolver.resolve(NOBODY));
    await bench.time.advance(0);
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "grace", took: 0 });
    expect(await bench.resolve("bob@example.com")).toMatchObject({ action: "defer", took: 0 });
    await bench.time.advance(TIMEOUT);
    expect((await first).answer.action).toBe("defer");
  });

  it("does not make anybody wait for a place once it is known to fail", async () => {
    const bench = new Bench(
      async () => {
        await bench.time.timers.sleep(TIMEOUT);
        return new ClientError("unreachable", "HTTP 502", 502);
      },
      { width: 2, failures: 1 },
    );
    const asked = [];
    for (const [name, wait] of [
      ["first", 1_000],
      ["second", 500],
      ["waits-for-a-place", 1_700],
    ] as const) {
      asked.push(bench.resolver.resolve(`${name}@example.com`));
      await bench.time.advance(wait);
    }
    expect(bench.breaker.state).toBe("half-open");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer", source: "none", took: 0 });
    await bench.time.advance(DAY);
    expect(await Promise.all(asked)).toHaveLength(3);
  });

  it("is not one that answers, whatever it says", async () => {
    const bench = saying("unavailable", { generation: null });
    await fail(bench, 20);
    expect(bench.breaker.state).toBe("closed");
    expect(bench.asked).toHaveLength(20);
  });
});

describe("memory", () => {
  it("is bounded in bytes, and refusals never push out the accepts that an outage needs", async () => {
    const bytes = 200_000;
    const bench = new Bench(
      ({ recipient }) => answerOf(recipient, recipient.startsWith("x") ? "unknown" : "deliverable"),
      { cacheBytes: bytes },
    );
    for (let i = 0; i < 50; i++) await bench.resolve(`user${i}@example.com`);
    for (let i = 0; i < 1_000; i++) await bench.resolve(`x${i}@example.com`);
    expect(bench.cache.bytes).toBeLessThanOrEqual(bytes);
    expect(bench.cache.evictions).toBeGreaterThan(500);
    bench.edge = away;
    for (let i = 0; i < 50; i++) {
      expect(await bench.resolve(`user${i}@example.com`)).toMatchObject({
        action: "accept",
        source: "cache",
      });
    }
  });
});
