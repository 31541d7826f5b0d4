import { describe, expect, it } from "vitest";
import type { QuestionAnswer } from "../../../src/api/index.ts";
import { faultInChanges, olderThanKnown } from "../../../src/bridge/replica/check-changes.ts";
import type { Changes } from "../../../src/client/index.ts";

const KNOWN = { incarnation: 5, number: 20 };

/** An answer in order to a question from {@link KNOWN}. */
const answered = (changes: Partial<Changes> = {}, answer: Partial<QuestionAnswer> = {}): Changes => ({
  partition: 1,
  partitions: 2,
  window: 30_000,
  time: Date.UTC(2026, 0, 1),
  answer: {
    incarnation: 5,
    asOf: 21,
    full: false,
    heads: [["one.example", 21]],
    revoked: [],
    wanted: null,
    ...answer,
  },
  ...changes,
});

const faultIn = (changes: Changes, known: typeof KNOWN | null = KNOWN): string | null =>
  faultInChanges(changes, known, (domain) => (domain.startsWith("one") ? 1 : 0));

describe("an answer to a poll", () => {
  it.each<[string, Changes, typeof KNOWN | null]>([
    ["what changed", answered(), KNOWN],
    ["that nothing changed", answered({}, { asOf: 20, heads: [] }), KNOWN],
    ["everything, to a replica that starts", answered({}, { full: true }), null],
    ["everything, since the position is too old", answered({}, { full: true, asOf: 900 }), KNOWN],
    [
      "everything of a newer log, whose numbers are lower",
      answered({}, { full: true, incarnation: 6, asOf: 1, heads: [] }),
      KNOWN,
    ],
  ])("may say %s", (_, changes, known) => {
    expect(faultIn(changes, known)).toBeNull();
  });

  it.each<[string, Changes, typeof KNOWN | null, RegExp]>([
    ["a part of another log", answered({}, { incarnation: 6 }), KNOWN, /another log and incomplete/],
    ["a part, to a replica that starts", answered(), null, /incomplete/],
    ["a domain of another partition", answered({}, { heads: [["two.example", 21]] }), KNOWN, /two\.example/],
    ["too many partitions", answered({ partitions: 257 }), KNOWN, /257 partitions/],
    ["a window of a day", answered({ window: 86_400_000 }), KNOWN, /window/],
    ["no window", answered({ window: 0 }), KNOWN, /window/],
    ["a window that is no number", answered({ window: Number.NaN }), KNOWN, /window/],
    ["a time before 1970", answered({ time: -1 }), KNOWN, /time/],
    ["a time of no calendar", answered({ time: 9e15 }), KNOWN, /time/],
  ])("may not have %s", (_, changes, known, why) => {
    expect(faultIn(changes, known)).toMatch(why);
  });

  it.each([
    [{ incarnation: 4, number: 900 }, "rollcall replica forget"],
    [{ incarnation: 5, number: 19 }, "rollcall registry restored"],
  ])("is older than what is known: %o", (log, fix) => {
    expect(olderThanKnown(log, KNOWN)?.fix).toContain(fix);
    expect(olderThanKnown(log, null)).toBeNull();
  });

  it.each([
    { incarnation: 5, number: 20 },
    { incarnation: 6, number: 1 },
  ])("is not older: %o", (log) => {
    expect(olderThanKnown(log, KNOWN)).toBeNull();
  });
});
