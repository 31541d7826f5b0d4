/* What an answer of the replica is worth beside those of the edge (law 3). test/bridge/resolver.test.ts has the edge's. */
import { describe, expect, it } from "vitest";
import { AnswerCache } from "../../src/bridge/answers/cache.ts";
import { AnswerJudge } from "../../src/bridge/answers/judge.ts";
import { type Heard, MinGenerations } from "../../src/bridge/answers/min-generations.ts";
import type { Answer } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";

const ALICE = { kind: "ask", text: "alice@example.com", domain: "example.com" } as const;
const NOW = 1_000_000_000;

function judge(heard: () => Heard | null = () => null) {
  const learned: Answer[] = [];
  const minGenerations = new MinGenerations();
  const cache = new AnswerCache(1_000_000, minGenerations);
  const own = new AnswerJudge({
    cache,
    minGenerations,
    acceptGrace: 7 * 86_400_000,
    heard,
    answered: () => undefined,
    learn: (_, answer) => void learned.push(answer),
    newLog: () => undefined,
  });
  return { own, minGenerations, learned };
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

  it("ends the accept of the edge that was kept of that recipient, unless it is older than what was seen", () => {
    const { own } = judge();
    const accept = answerOf(ALICE.text, "deliverable", {
      generation: 7,
      incarnation: 1,
      domain: ALICE.domain,
    });
    const kept = (): string => own.withoutAnswer(ALICE, "away", "no-answer", NOW).source;
    own.judge(ALICE, { answer: accept, askedAt: NOW, now: NOW }, true);
    own.local(ALICE, says(6), NOW);
    expect(kept()).toBe("grace");
    own.local(ALICE, says(8), NOW);
    expect(kept()).toBe("none");
  });
});

describe("what the host has heard of the log by itself", () => {
  it("makes a kept accept an old one: it is not fresh, and goes on for a day", () => {
    let heard: Heard | null = null;
    const { own } = judge(() => heard);
    const accept = answerOf(ALICE.text, "deliverable", {
      generation: 7,
      incarnation: 1,
      domain: ALICE.domain,
    });
    own.judge(ALICE, { answer: accept, askedAt: NOW, now: NOW }, true);
    expect(own.cached(ALICE, NOW)).toMatchObject({ source: "cache" });
    heard = { incarnation: 1, generation: 8 };
    expect(own.cached(ALICE, NOW)).toBeNull();
    const at = (ms: number): string => own.withoutAnswer(ALICE, "away", "no-answer", NOW + ms).source;
    expect([at(86_398_999), at(86_399_000)]).toEqual(["grace", "none"]);
  });
});

describe("what the host learns from an answer of the edge", () => {
  const learnedOf = (answer: Answer): Answer[] => {
    const { own, learned } = judge(() => ({ incarnation: 1, generation: 8 }));
    own.judge(ALICE, { answer, askedAt: NOW, now: NOW }, true);
    return learned;
  };

  it("is all that counts, and the log that an answer without a verdict names", () => {
    for (const answer of [
      says(8),
      answerOf(ALICE.text, "unavailable", { generation: null, incarnation: 1 }),
      answerOf(ALICE.text, "throttled", { generation: null, incarnation: 1 }),
    ])
      expect(learnedOf(answer)).toEqual([answer]);
    expect(learnedOf(says(7))).toEqual([]);
  });

  it("is a newer log from the first answer that names it, also if the edge is asked again", () => {
    const { own, learned } = judge();
    own.judge(ALICE, { answer: says(8), askedAt: NOW, now: NOW }, true);
    const answer = answerOf(ALICE.text, "unavailable", { generation: null, incarnation: 2 });
    expect(own.judge(ALICE, { answer, askedAt: NOW, now: NOW }, false)).toBeNull();
    expect(learned.at(-1)).toEqual(answer);
  });
});

describe("the newest state that a bridge knows", () => {
  it("is what was seen or what the host heard, whichever is newer", () => {
    for (const [seen, heard, newest] of [
      [[1, 7], [1, 8], 8],
      [[1, 9], [1, 8], 9],
      [[2, 3], [1, 8], 3],
      [[1, 9], [2, 3], 3],
      // No answer named a log.
      [[0, 9], [1, 8], 9],
      [[0, 7], [1, 8], 8],
    ] as const) {
      const { own, minGenerations } = judge(() => ({ incarnation: heard[0], generation: heard[1] }));
      minGenerations.raise(ALICE.domain, seen[0], seen[1], NOW);
      expect(own.minGeneration(ALICE.domain), `${seen} ${heard}`).toBe(newest);
    }
  });
});
