import { describe, expect, it } from "vitest";
import { type Grounds, unavailable, type Verdict } from "../../src/directory/index.ts";
import { ALICE, away, Bench, BOB, DAY, type Edge, NOBODY, SECOND, says } from "./support/bench.ts";

const DEFERRED = "unavailable defer edge";

/** An edge of several isolates, which answer in turn, the last of them again and again. */
const isolates = (...answers: readonly [Verdict, number | null, Grounds?][]): Bench => {
  const edges = answers.map(([verdict, generation, grounds]) => says(verdict, { generation, ...grounds }));
  return new Bench((asked) => ((edges.length > 1 ? edges.shift() : edges[0]) as Edge)(asked));
};

describe("generations", () => {
  it("go along with the question: the highest that was seen of that domain", async () => {
    const bench = isolates(["deliverable", 7], ["deliverable", 9], ["deliverable", 9]);
    for (const name of ["a@example.com", "b@example.com", "c@example.com", "d@example.org"]) {
      await bench.resolve(name);
    }
    expect(bench.asked.map(({ domain, minGeneration }) => [domain, minGeneration])).toEqual([
      ["example.com", 0],
      ["example.com", 7],
      ["example.com", 9],
      ["example.org", 0],
    ]);
  });

  it.each<[Verdict, string]>([
    ["deliverable", "accept"],
    ["unknown", "reject"],
  ])("a cached answer (%s) older than one seen since does not count any more", async (verdict, action) => {
    const bench = isolates([verdict, 7], ["deliverable", 8], ["departed", 8]);
    await bench.resolve(ALICE);
    expect(await bench.said(ALICE)).toBe(`${verdict} ${action} cache`);
    await bench.resolve(BOB);
    expect(await bench.said(ALICE)).toBe("departed defer edge");
  });

  it("an accept that a newer generation was seen after goes on while the edge is away, for a day after its own confirmation", async () => {
    const bench = isolates(["deliverable", 7, { confirmedAge: 20 }], ["deliverable", 8]);
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    await bench.resolve(BOB);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    await bench.time.advance(DAY - 81 * SECOND);
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    await bench.time.advance(SECOND);
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
    // Nothing newer was seen than Bob's.
    expect(await bench.said(BOB)).toBe("deliverable accept grace");
  });

  it("an accept that nothing confirmed does not go on once a newer generation was seen", async () => {
    const bench = isolates(
      ["deliverable", 7, { confirmedAge: null, contactAge: 1, maxAge: 0 }],
      ["deliverable", 8],
    );
    await bench.resolve(ALICE);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    bench.edge = says("deliverable", { generation: 8 });
    await bench.resolve(BOB);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it("an accept goes on for no longer than accept-grace, whatever was seen", async () => {
    const edges = [7, 8].map((generation) => says("deliverable", { generation }));
    const bench = new Bench((asked) => (edges.shift() as Edge)(asked), { acceptGrace: 60 * SECOND });
    await bench.resolve(ALICE);
    await bench.resolve(BOB);
    bench.edge = away;
    await bench.time.advance(58 * SECOND);
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    await bench.time.advance(2 * SECOND);
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it.each<[Verdict, string]>([
    ["unknown", "reject"],
    ["departed", "defer"],
    ["full", "defer"],
  ])(
    "%s of a newer generation ends the accept of that recipient, and of no other",
    async (verdict, action) => {
      const bench = isolates(["deliverable", 7], ["deliverable", 7], [verdict, 8]);
      await bench.resolve(ALICE);
      await bench.resolve(BOB);
      await bench.time.advance(60 * SECOND);
      expect(await bench.said(ALICE)).toBe(`${verdict} ${action} edge`);
      bench.edge = away;
      await bench.time.advance(60 * SECOND);
      expect(await bench.said(ALICE)).toBe("unavailable defer none");
      expect(await bench.said(BOB)).toBe("deliverable accept grace");
    },
  );

  it("an answer older than what was seen ends no accept", async () => {
    const bench = isolates(["deliverable", 7], ["deliverable", 8], ["unknown", 6]);
    await bench.resolve(ALICE);
    await bench.resolve(BOB);
    await bench.time.advance(60 * SECOND);
    expect(await bench.said(ALICE)).toBe(DEFERRED);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
  });

  it("a follow-up is not left out because of an accept that was held before", async () => {
    const bench = isolates(
      ["deliverable", 7],
      ["deliverable", 8],
      ["deliverable", 8, { confirmedAge: null, maxAge: 0 }],
    );
    await bench.resolve(ALICE);
    await bench.resolve(BOB);
    await bench.time.advance(60 * SECOND);
    await bench.resolve(ALICE);
    const asked = bench.asked.length;
    await bench.time.advance(10 * SECOND);
    expect(bench.asked).toHaveLength(asked + 1);
  });

  it("the domain that nobody serves any more is accepted for a day at most", async () => {
    const bench = isolates(["deliverable", 7], ["not-served", null, { confirmedAge: 0 }]);
    await bench.resolve(ALICE);
    await bench.time.advance(60 * SECOND);
    expect(await bench.said(NOBODY)).toBe("not-served reject edge");
    expect(await bench.said("nobody2@example.com")).toBe("not-served reject edge");
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    await bench.time.advance(DAY);
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it("an older refusal makes the bridge ask once more, and is a deferral if it stays", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7]);
    await bench.resolve(ALICE);
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    expect(bench.asked).toHaveLength(3);
    await bench.resolve(NOBODY);
    expect(bench.asked).toHaveLength(5);
  });

  it("an older accept makes the bridge ask once more, and is then used, but not cached", async () => {
    const bench = isolates(["deliverable", 8], ["deliverable", 7]);
    await bench.resolve(BOB);
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    expect(bench.asked).toHaveLength(3);
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("unavailable defer none");
  });

  it("an older answer that took a third of the timeout is not asked for again", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7]);
    await bench.resolve(ALICE);
    bench.latency = 1_000;
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    expect(bench.asked).toHaveLength(2);
  });

  it("the newer isolate's answer counts, when it is asked second", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7], ["deliverable", 8]);
    await bench.resolve(BOB);
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    expect(await bench.said(ALICE)).toBe("deliverable accept cache");
  });

  it("an older answer does not undo what was seen", async () => {
    const bench = isolates(["deliverable", 8], ["unknown", 7], ["unknown", 7], ["unknown", 8]);
    await bench.resolve(BOB);
    await bench.resolve(NOBODY);
    expect(bench.minGenerations.get("example.com")?.generation).toBe(8);
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
  });

  it("a generation that is seen while a question is under way counts for its answer", async () => {
    const bench = isolates(["unknown", 7]);
    bench.latency = 1_500;
    const asked = bench.ask(NOBODY);
    await bench.time.advance(500);
    bench.minGenerations.raise("example.com", 1, 8, 500);
    await bench.time.advance(1_000);
    expect((await asked).answer.verdict).toBe("unavailable");
  });

  it("not-served counts if the Registry was asked after the domain was last seen", async () => {
    const bench = isolates(["deliverable", 8], ["not-served", null, { confirmedAge: 10 }]);
    await bench.resolve(ALICE);
    await bench.time.advance(9 * SECOND);
    // The isolate that says so asked before generation 8 existed.
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    await bench.time.advance(2 * SECOND);
    expect(await bench.said(NOBODY)).toBe("not-served reject edge");
  });

  it("not-served that nothing confirmed does not count against a domain that was seen", async () => {
    const bench = isolates(["deliverable", 8], ["not-served", null, { confirmedAge: null }]);
    await bench.resolve(ALICE);
    await bench.time.advance(DAY);
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
  });

  it("not-served does not count once the domain exists", async () => {
    const bench = isolates(["not-served", null], ["deliverable", 8], ["unknown", 8]);
    expect(await bench.said(NOBODY)).toBe("not-served reject edge");
    expect(await bench.said(NOBODY)).toBe("not-served reject cache");
    await bench.resolve(ALICE);
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
  });
});

/** An edge that answers every recipient from one log. */
const from =
  (incarnation: number | null, generation: number | null, verdict: Verdict, grounds: Grounds = {}): Edge =>
  (asked) =>
    generation !== null && asked.minGeneration > generation
      ? unavailable(asked.recipient, "older than what the client has seen", "example.com", incarnation)
      : says(verdict, { incarnation, generation, contactAge: 1, ...grounds })(asked);

/** A bridge that has seen generation 900 of the log that was lost. */
async function afterLoss(): Promise<Bench> {
  const bench = new Bench(from(1, 900, "deliverable"));
  await bench.resolve(ALICE);
  await bench.time.advance(60 * SECOND);
  return bench;
}

describe("a Registry that was lost and filled again", () => {
  it("makes the bridge start over, from the deferral that names the newer log, and ask again", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, 3, "unknown");
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
    expect(bench.asked.slice(1).map(({ minGeneration }) => minGeneration)).toEqual([900, 0]);
    expect(bench.newLogs).toEqual([["example.com", 2]]);
    expect(bench.minGenerations.get("example.com")).toMatchObject({ incarnation: 2, generation: 3 });
    await bench.resolve("somebody@example.com");
    expect(bench.newLogs).toHaveLength(1);
  });

  it("ends no accept: those of that domain go on while the edge is away, for a day after their confirmation", async () => {
    const bench = await afterLoss();
    await bench.resolve("bob@example.org");
    bench.edge = from(2, 3, "deliverable");
    await bench.resolve(BOB);
    // They are not fresh, though their max_age has not ended.
    expect(await bench.said(ALICE)).toBe("deliverable accept edge");
    bench.edge = from(3, 1, "deliverable");
    await bench.resolve("carol@example.com");
    bench.edge = away;
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    await bench.time.advance(DAY);
    expect((await bench.resolve(ALICE)).action).toBe("defer");
    expect((await bench.resolve(BOB)).action).toBe("defer");
    expect((await bench.resolve("bob@example.org")).action).toBe("accept");
  });

  it("without the domain, is no verdict to a token that names it: accepts go on for a day", async () => {
    const bench = await afterLoss();
    bench.edge = ({ recipient }) => unavailable(recipient, "no list", "example.com", 2);
    expect(await bench.said(ALICE)).toBe("deliverable accept grace");
    expect(await bench.said(BOB)).toBe("unavailable defer edge");
    await bench.time.advance(DAY);
    expect(await bench.said(ALICE)).toBe("unavailable defer edge");
  });

  it("is noticed in any answer, not-served among them", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, null, "not-served");
    expect(await bench.said(NOBODY)).toBe("not-served reject edge");
    // It has an answer, so it is not asked for again.
    expect(bench.asked).toHaveLength(2);
    expect(await bench.said(NOBODY)).toBe("not-served reject cache");
    bench.edge = from(2, 1, "deliverable");
    expect((await bench.resolve(ALICE)).action).toBe("accept");
    bench.edge = away;
    expect((await bench.resolve(NOBODY)).action).toBe("defer");
  });

  it("makes answers of the older log count as older, whatever their numbers", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, 3, "deliverable");
    await bench.resolve(BOB);
    bench.edge = from(1, 950, "unknown");
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    bench.edge = from(1, null, "not-served");
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    bench.edge = from(1, 950, "deliverable");
    expect(await bench.said("carol@example.com")).toBe("deliverable accept edge");
    bench.edge = away;
    // It was passed on once.
    expect((await bench.resolve("carol@example.com")).action).toBe("defer");
    expect(bench.minGenerations.get("example.com")).toMatchObject({ incarnation: 2, generation: 3 });
    expect(bench.newLogs).toHaveLength(1);
  });
});

describe("an edge that names no log", () => {
  it("is taken at its numbers, until an answer names the log", async () => {
    const bench = new Bench(from(null, 9, "deliverable"));
    await bench.resolve(ALICE);
    bench.edge = says("unknown", { generation: 8 });
    expect(await bench.said(NOBODY)).toBe(DEFERRED);
    // The first answer of the same generation that names a log says which log that was.
    bench.edge = from(4, 9, "deliverable");
    await bench.resolve(BOB);
    bench.edge = from(5, 2, "unknown");
    expect(await bench.said(NOBODY)).toBe("unknown reject edge");
    expect(bench.newLogs).toEqual([["example.com", 5]]);
  });
});
