/* What an answer of the replica is worth beside those of the edge (law 3). test/bridge/resolver.test.ts has the edge's. */
import { describe, expect, it } from "vitest";
import { AnswerCache } from "../../src/bridge/answers/cache.ts";
import { AnswerJudge } from "../../src/bridge/answers/judge.ts";
import { MinGenerations } from "../../src/bridge/answers/min-generations.ts";
import { answerOf } from "./support/answers.ts";

const ALICE = { kind: "ask", text: "alice@example.com", domain: "example.com" } as const;
const NOW = 1_000_000_000;

function judge() {
  const minGenerations = new MinGenerations();
  const cache = new AnswerCache(1_000_000, minGenerations);
  const own = new AnswerJudge({
    cache,
    minGenerations,
    acceptGrace: 86_400_000,
    heard: () => null,
    answered: () => undefined,
    newLog: () => undefined,
  });
  return { own, minGenerations };
}

const says = (generation: number, incarnation = 1) =>
  answerOf(ALICE.text, "unknown", { generation, incarnation, domain: ALICE.domain, maxAge: 30 });

describe("an answer of the replica", () => {
  it("is not used if the edge showed a newer generation", () => {
    const { own } = judge();
    const received = { answer: says(7), askedAt: NOW, now: NOW };
    expect(own.judge(ALICE, received, true)).toMatchObject({ source: "edge" });
    expect(own.local(ALICE, says(6), NOW)).toBeNull();
    expect(own.local(ALICE, says(7), NOW)).toMatchObject({ source: "replica" });
  });

  it("is a lower bound for what the edge answers next", () => {
    const { own } = judge();
    expect(own.local(ALICE, says(9), NOW)).toMatchObject({ source: "replica" });
    expect(own.minGeneration(ALICE.domain)).toBe(9);
    const received = { answer: says(8), askedAt: NOW, now: NOW };
    expect(own.judge(ALICE, received, false)).toBeNull();
    expect(own.judge(ALICE, received, true)).toMatchObject({ answer: { action: "defer" } });
  });

  it("of a higher log replaces what was seen of the one before", () => {
    const { own } = judge();
    own.local(ALICE, says(9, 1), NOW);
    expect(own.local(ALICE, says(2, 2), NOW)).toMatchObject({ source: "replica" });
    expect(own.local(ALICE, says(9, 1), NOW)).toBeNull();
  });
});
