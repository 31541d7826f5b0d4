/* Which answers are older than what a bridge saw (law 3). test/bridge/generations.test.ts has what follows from it. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  isNewLog,
  isOlder,
  isOlderThanHeard,
  MinGenerations,
} from "../../src/bridge/answers/min-generations.ts";
import type { Grounds } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";

const DOMAIN = "example.com";
const NOW = 1_000_000_000;
const says = (grounds: Grounds) => answerOf(`alice@${DOMAIN}`, "unknown", { domain: DOMAIN, ...grounds });

let seen: MinGenerations;
beforeEach(() => {
  seen = new MinGenerations();
});

describe("the newest state that was seen", () => {
  it("only rises within a log, and has the time at which it was first seen", () => {
    seen.raise(DOMAIN, 3, 7, NOW);
    expect(seen.raise(DOMAIN, 3, 6, NOW + 1)).toEqual({ incarnation: 3, generation: 7, at: NOW });
    expect(seen.raise(DOMAIN, 3, 7, NOW + 2)).toEqual({ incarnation: 3, generation: 7, at: NOW });
    expect(seen.raise(DOMAIN, 3, 8, NOW + 3)).toEqual({ incarnation: 3, generation: 8, at: NOW + 3 });
  });

  it("gets a log from the first answer that names one", () => {
    seen.raise(DOMAIN, 0, 7, NOW);
    expect(seen.raise(DOMAIN, 3, 6, NOW)).toMatchObject({ incarnation: 0 });
    expect(seen.raise(DOMAIN, 3, 7, NOW)).toMatchObject({ incarnation: 3 });
  });

  it("is another object once the domain is gone, and once more after it came back", () => {
    seen.noteGone(DOMAIN);
    expect(seen.get(DOMAIN)).toBeUndefined();
    const first = seen.raise(DOMAIN, 3, 7, NOW);
    seen.noteGone(DOMAIN);
    const second = seen.get(DOMAIN);
    expect(second).not.toBe(first);
    seen.noteGone(DOMAIN);
    expect(seen.get(DOMAIN)).toBe(second);
    seen.raise(DOMAIN, 3, 8, NOW);
    seen.noteGone(DOMAIN);
    expect(seen.get(DOMAIN)).not.toBe(second);
    seen.startOver(DOMAIN, 4);
    const third = seen.get(DOMAIN);
    seen.noteGone(DOMAIN);
    expect(seen.get(DOMAIN)).toBe(third);
  });
});

describe("an answer is older than what was seen", () => {
  it("if it is of an older log, or of a lower number of the same one", () => {
    const min = seen.raise(DOMAIN, 3, 7, NOW);
    const isIt = (incarnation: number | null, generation: number): boolean =>
      isOlder(says({ incarnation, generation }), min, NOW);
    expect([isIt(2, 99), isIt(3, 6), isIt(null, 6)]).toEqual([true, true, true]);
    expect([isIt(3, 7), isIt(null, 7), isIt(3, 8)]).toEqual([false, false, false]);
    expect(isOlder(says({ incarnation: 2, generation: 1 }), undefined, NOW)).toBe(false);
  });

  it("if it says that the domain does not exist, and rests on a contact from before", () => {
    const min = seen.raise(DOMAIN, 3, 7, NOW);
    const isIt = (confirmedAge: number | null, askedAt: number): boolean =>
      isOlder(says({ generation: null, incarnation: 3, confirmedAge }), min, askedAt);
    expect([isIt(null, NOW + 1), isIt(0, NOW - 1), isIt(2, NOW + 1_999)]).toEqual([true, true, true]);
    expect([isIt(0, NOW), isIt(2, NOW + 2_000)]).toEqual([false, false]);
    // Nothing was seen of a log that has just begun.
    seen.startOver(DOMAIN, 4);
    expect(
      isOlder(says({ generation: null, incarnation: 4, confirmedAge: null }), seen.get(DOMAIN), NOW),
    ).toBe(false);
  });
});

describe("an answer is older than what the host heard by itself", () => {
  const heard = { incarnation: 3, generation: 7 };
  const isIt = (grounds: Grounds, of: typeof heard | null = heard): boolean =>
    isOlderThanHeard(says(grounds), of);

  it("if it is of an older log, or of a lower number", () => {
    expect([isIt({ incarnation: 2, generation: 99 }), isIt({ incarnation: 3, generation: 6 })]).toEqual([
      true,
      true,
    ]);
    expect([isIt({ incarnation: 4, generation: 1 }), isIt({ incarnation: 3, generation: 7 })]).toEqual([
      false,
      false,
    ]);
    expect(isIt({ incarnation: 2, generation: 1 }, null)).toBe(false);
    expect(isIt({ incarnation: 2, generation: 1 }, { incarnation: 3, generation: 0 })).toBe(true);
  });

  it("if the log lists a head, and it says that the domain does not exist", () => {
    expect(isIt({ incarnation: 3, generation: null })).toBe(true);
    expect(isIt({ incarnation: 3, generation: null }, { incarnation: 3, generation: 0 })).toBe(false);
  });
});

describe("an answer names a newer log", () => {
  it("than a known one", () => {
    expect(isNewLog(4, undefined)).toBe(false);
    expect(isNewLog(4, seen.raise(DOMAIN, 0, 7, NOW))).toBe(false);
    const min = seen.raise(DOMAIN, 3, 7, NOW);
    expect([isNewLog(null, min), isNewLog(3, min), isNewLog(4, min)]).toEqual([false, false, true]);
  });
});
