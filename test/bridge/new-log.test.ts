import { describe, expect, it } from "vitest";
import { type Grounds, unavailable, type Verdict } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { away, Bench } from "./support/bench.ts";

const ALICE = "alice@example.com";
const NOBODY = "nobody@example.com";
const SECOND = 1_000;

/** An edge that answers everybody from one log. */
const from =
  (
    incarnation: number | null,
    generation: number | null,
    verdict: Verdict,
    grounds: Grounds = {},
  ): Bench["edge"] =>
  ({ recipient, minGeneration }) =>
    generation !== null && minGeneration > generation
      ? unavailable(recipient, "older than what the asker has seen", "example.com", incarnation)
      : answerOf(recipient, verdict, { incarnation, generation, contactAge: 1, ...grounds });

/** A bridge that has seen generation 900 of the log that was lost. */
async function afterLoss(): Promise<Bench> {
  const bench = new Bench(from(1, 900, "deliverable"));
  await bench.resolve(ALICE);
  await bench.time.advance(60 * SECOND);
  return bench;
}

describe("a Registry that was lost and filled again", () => {
  it("has the bridge start over by itself, from the deferral that names the newer log, and ask again", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, 3, "unknown");
    expect(await bench.resolve(NOBODY)).toMatchObject({
      verdict: "unknown",
      action: "reject",
      source: "edge",
    });
    expect(bench.asked.slice(1).map(({ minGeneration }) => minGeneration)).toEqual([900, 0]);
    expect(bench.newLogs).toEqual([["example.com", 2]]);
    expect(bench.minGenerations.get("example.com")).toMatchObject({ incarnation: 2, generation: 3 });
    await bench.resolve("somebody@example.com");
    expect(bench.newLogs).toHaveLength(1);
  });

  it("takes what was remembered of the older log along, and of that domain alone", async () => {
    const bench = await afterLoss();
    await bench.resolve("bob@example.org");
    bench.edge = from(2, 3, "deliverable");
    await bench.resolve("bob@example.com");
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
    expect(await bench.resolve("bob@example.com")).toMatchObject({ action: "accept" });
    expect(await bench.resolve("bob@example.org")).toMatchObject({ action: "accept" });
  });

  it("is believed by an answer too, not-served among them", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, null, "not-served");
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "not-served", action: "reject" });
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "not-served", source: "cache" });
    bench.edge = from(2, 1, "deliverable");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept" });
    bench.edge = away;
    expect(await bench.resolve(NOBODY)).toMatchObject({ action: "defer" });
  });

  it("makes answers of the older log old ones, whatever their numbers", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, 3, "deliverable");
    await bench.resolve("bob@example.com");
    bench.edge = from(1, 950, "unknown");
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
    bench.edge = from(1, null, "not-served");
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable", action: "defer" });
    bench.edge = from(1, 950, "deliverable");
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "defer" });
    expect(bench.minGenerations.get("example.com")).toMatchObject({ incarnation: 2, generation: 3 });
    expect(bench.newLogs).toHaveLength(1);
  });

  it("gives way to an export until it has published the domain again", async () => {
    const bench = await afterLoss();
    bench.edge = from(2, null, "not-served");
    await bench.resolve(NOBODY);
    bench.edge = from(null, 1_700_000, "deliverable", { origin: "kv", confirmedAge: null, contactAge: null });
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept", source: "edge" });
    bench.edge = away;
    expect(await bench.resolve(ALICE)).toMatchObject({ action: "accept" });
  });
});

describe("an edge that names no log", () => {
  it("is one of the release before: numbers count as they did", async () => {
    const bench = new Bench(from(null, 9, "deliverable"));
    await bench.resolve(ALICE);
    bench.edge = ({ recipient }) => answerOf(recipient, "unknown", { generation: 8 });
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unavailable" });
    // The first one that names it, at the same height, says which log that was.
    bench.edge = from(4, 9, "deliverable");
    await bench.resolve("bob@example.com");
    bench.edge = from(5, 2, "unknown");
    expect(await bench.resolve(NOBODY)).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(bench.newLogs).toEqual([["example.com", 5]]);
  });
});
