import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Position, QuestionAnswer } from "../../src/api/log.ts";
import type { Roster } from "../../src/directory/index.ts";
import { LogView } from "../../src/reader/log-view.ts";

const WINDOW = 1_000;
const NEVER = Number.NEGATIVE_INFINITY;

const answerOf = (asOf: number, more: Partial<QuestionAnswer> = {}): QuestionAnswer => ({
  incarnation: 1,
  asOf,
  full: false,
  heads: [],
  revoked: [],
  wanted: null,
  ...more,
});

const rosterOf = (asOf: number, more: Partial<Roster> = {}): Roster => ({
  partition: "0",
  partitions: 1,
  incarnation: 1,
  asOf,
  heartbeat: 50,
  heads: {},
  revoked: [],
  ...more,
});

const since = (number: number, incarnation = 1): Position => ({ incarnation, number });

/** A view that knows everything up to a number, confirmed at 100. */
function viewAt(number: number, heads: [string, number][] = []): LogView {
  const view = new LogView(0, WINDOW);
  view.apply(answerOf(number, { full: true, heads }), 100, null);
  return view;
}

describe("a log view", () => {
  it("knows nothing at first", () => {
    const view = new LogView(3, WINDOW);
    expect(view).toMatchObject({
      partition: 3,
      incarnation: 0,
      isComplete: false,
      asOf: 0,
      position: null,
      applied: 0,
      askedAt: NEVER,
      lastContact: NEVER,
      refreshedAt: NEVER,
    });
    expect(view.isFresh(0)).toBe(false);
    expect(view.isDue(0)).toBe(true);
    expect(view.remaining(0)).toBe(0);
    expect(view.head("a.example")).toBeUndefined();
  });

  it("is fresh from the question to the end of the window, and due from its half", () => {
    const view = viewAt(5);
    expect([99, 100, 599, 600, 1_099, 1_100].map((now) => view.isFresh(now))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
    expect([99, 100, 599, 600, 1_100].map((now) => view.isDue(now))).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
    expect([99, 100, 600, 1_099, 1_100].map((now) => view.remaining(now))).toEqual([0, 1_000, 500, 1, 0]);
  });

  it("notes when it was refreshed", () => {
    const view = new LogView(0, WINDOW);
    view.noteRefresh(7);
    expect(view.refreshedAt).toBe(7);
  });
});

describe("an answer", () => {
  it("that is full makes the view complete and confirms it", () => {
    const view = viewAt(5, [["a.example", 4]]);
    expect(view).toMatchObject({
      incarnation: 1,
      isComplete: true,
      asOf: 5,
      applied: 1,
      askedAt: 100,
      lastContact: 100,
    });
    expect(view.position).toEqual(since(5));
    expect(view.head("a.example")).toBe(4);
  });

  it("that lists changes raises heads and confirms", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.apply(answerOf(7, { heads: [["a.example", 7]], revoked: ["t"] }), 200, since(5));
    expect(view).toMatchObject({ asOf: 7, applied: 2, askedAt: 200, lastContact: 200 });
    expect(view.head("a.example")).toBe(7);
    expect(view.isRevoked("t")).toBe(true);
    expect(view.isRevoked("u")).toBe(false);
  });

  it("of an older log is ignored", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.apply(
      answerOf(9, { incarnation: 0, full: true, heads: [["a.example", 9]], revoked: ["t"] }),
      200,
      null,
    );
    expect(view).toMatchObject({ asOf: 5, applied: 1, askedAt: 100, lastContact: 100 });
    expect(view.head("a.example")).toBe(4);
    expect(view.isRevoked("t")).toBe(false);
  });

  it("of a newer log that is not full is ignored", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.apply(answerOf(9, { incarnation: 2, heads: [["a.example", 9]] }), 200, since(5));
    expect(view).toMatchObject({ incarnation: 1, asOf: 5, applied: 1, askedAt: 100 });
    expect(view.head("a.example")).toBe(4);
  });

  it("of a newer log that is full replaces everything, lower numbers included", () => {
    const view = viewAt(50, [["a.example", 40]]);
    view.apply(answerOf(50, { revoked: ["t"] }), 150, since(50));
    view.noteChange(since(60), {});
    view.apply(answerOf(3, { incarnation: 2, full: true, heads: [["b.example", 2]] }), 200, since(50));
    expect(view).toMatchObject({ incarnation: 2, isComplete: true, asOf: 3, askedAt: 200 });
    expect(view.head("a.example")).toBeUndefined();
    expect(view.head("b.example")).toBe(2);
    expect(view.isRevoked("t")).toBe(false);
  });

  it("that arrives late reports heads and revocations, and confirms nothing", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.apply(answerOf(4, { heads: [["b.example", 3]], revoked: ["t"] }), 300, since(2));
    expect(view).toMatchObject({ asOf: 5, applied: 1, askedAt: 100, lastContact: 100 });
    expect(view.head("b.example")).toBe(3);
    expect(view.isRevoked("t")).toBe(true);
  });

  it("of the same number confirms again", () => {
    const view = viewAt(5);
    view.apply(answerOf(5), 300, since(5));
    expect(view).toMatchObject({ asOf: 5, applied: 2, askedAt: 300 });
  });

  it("whose question was sent earlier does not shorten the window", () => {
    const view = viewAt(5);
    view.apply(answerOf(6), 80, since(5));
    expect(view).toMatchObject({ asOf: 6, askedAt: 100, lastContact: 100 });
  });

  it("that is not full is ignored by a view that knows nothing, whatever the question", () => {
    const view = new LogView(0, WINDOW);
    view.noteChange(since(1), {});
    view.apply(answerOf(7, { heads: [["a.example", 7]] }), 100, since(1));
    expect(view).toMatchObject({ isComplete: false, applied: 0, askedAt: NEVER });
    expect(view.head("a.example")).toBe(7);
  });

  it("that lists nothing counts as contact only, unless it is older than a change that passed through", () => {
    const view = new LogView(0, WINDOW);
    view.noteChange(since(7), {});
    view.apply(answerOf(6), 100, null);
    expect(view.lastContact).toBe(NEVER);
    view.apply(answerOf(7), 100, null);
    expect(view).toMatchObject({ lastContact: 100, isComplete: false, applied: 0, askedAt: NEVER });
  });

  it("that is full drops domains that it does not list, but not those that changed later", () => {
    const view = viewAt(5, [
      ["pruned.example", 3],
      ["kept.example", 5],
    ]);
    view.noteChange(since(9), { "later.example": 9, "edge.example": 8 });
    view.apply(answerOf(8, { full: true, heads: [["kept.example", 5]] }), 200, since(5));
    // It is older than the change, so it confirms and drops nothing.
    expect(view.head("pruned.example")).toBe(3);
    view.apply(
      answerOf(10, {
        full: true,
        heads: [
          ["kept.example", 5],
          ["later.example", 9],
        ],
      }),
      300,
      since(5),
    );
    expect(view.head("pruned.example")).toBeUndefined();
    expect(view.head("edge.example")).toBeUndefined();
    expect(view.head("kept.example")).toBe(5);
    expect(view.head("later.example")).toBe(9);
  });

  it("that is full keeps a head of a higher number than its own", () => {
    const view = viewAt(5);
    view.apply(answerOf(5, { heads: [["ahead.example", 8]] }), 150, since(5));
    view.apply(answerOf(7, { full: true }), 200, null);
    expect(view.head("ahead.example")).toBe(8);
    view.apply(answerOf(8, { full: true }), 250, null);
    expect(view.head("ahead.example")).toBeUndefined();
  });

  it("with no manifest for the domain that was wanted drops the domain", () => {
    const view = viewAt(5, [
      ["a.example", 4],
      ["b.example", 4],
    ]);
    view.apply(answerOf(5, { wanted: { domain: "a.example", manifest: new Uint8Array(1) } }), 200, since(5));
    expect(view.head("a.example")).toBe(4);
    view.apply(answerOf(5, { wanted: { domain: "a.example", manifest: null } }), 200, since(5));
    expect(view.head("a.example")).toBeUndefined();
    expect(view.head("b.example")).toBe(4);
  });
});

describe("a roster", () => {
  it("is a starting point, and no confirmation", () => {
    const view = new LogView(0, WINDOW);
    view.startFrom(rosterOf(9, { heads: { "a.example": 4 }, revoked: ["t"] }));
    expect(view).toMatchObject({
      incarnation: 1,
      isComplete: true,
      asOf: 9,
      askedAt: NEVER,
      lastContact: 50,
      applied: 0,
    });
    expect(view.head("a.example")).toBe(4);
    expect(view.isRevoked("t")).toBe(true);
    expect(view.isFresh(50)).toBe(false);
  });

  it("changes nothing where more is known, but counts as contact", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.startFrom(rosterOf(9, { heads: { "a.example": 9 }, heartbeat: 700 }));
    expect(view).toMatchObject({ asOf: 5, askedAt: 100, lastContact: 700 });
    expect(view.head("a.example")).toBe(4);
    view.startFrom(rosterOf(9, { heartbeat: 600 }));
    expect(view.lastContact).toBe(700);
  });

  it("of another log is no contact where something is known", () => {
    const view = viewAt(5);
    for (const incarnation of [0, 2]) view.startFrom(rosterOf(9, { incarnation, heartbeat: 700 }));
    expect(view).toMatchObject({ incarnation: 1, asOf: 5, lastContact: 100 });
  });

  it("that is older than a change that passed through is not used", () => {
    const view = new LogView(0, WINDOW);
    view.noteChange(since(9), { "a.example": 9 });
    view.startFrom(rosterOf(8, { heads: { "b.example": 8 } }));
    expect(view.isComplete).toBe(false);
    expect(view.head("b.example")).toBeUndefined();
    view.startFrom(rosterOf(9, { heads: { "b.example": 8 } }));
    expect(view).toMatchObject({ isComplete: true, asOf: 9 });
    expect(view.head("a.example")).toBe(9);
  });

  it("of an older log than a change that passed through is not used", () => {
    const view = new LogView(0, WINDOW);
    view.noteChange(since(9, 2), {});
    view.startFrom(rosterOf(50, { heartbeat: 700 }));
    expect(view).toMatchObject({ incarnation: 2, isComplete: false, lastContact: NEVER });
  });

  it("of a newer log starts that log", () => {
    const view = new LogView(0, WINDOW);
    view.noteChange(since(9), { "a.example": 9 }, ["t"]);
    view.startFrom(rosterOf(9, { incarnation: 2 }));
    expect(view).toMatchObject({ incarnation: 2, asOf: 9, isComplete: true, lastContact: 50 });
    expect(view.head("a.example")).toBeUndefined();
    expect(view.isRevoked("t")).toBe(false);
  });
});

describe("a change that passed through", () => {
  it("ends the confirmation, and raises heads and revocations", () => {
    const view = viewAt(5, [["a.example", 4]]);
    view.noteChange(since(8), { "a.example": 8 }, ["t"]);
    expect(view).toMatchObject({ asOf: 5, askedAt: NEVER, lastContact: 100, isComplete: true });
    expect(view.head("a.example")).toBe(8);
    expect(view.isRevoked("t")).toBe(true);
    view.apply(answerOf(7), 200, since(5));
    expect(view.isFresh(200)).toBe(false);
    view.apply(answerOf(8), 300, since(5));
    expect(view.isFresh(300)).toBe(true);
  });

  it("never lowers what is known", () => {
    const view = viewAt(9, [["a.example", 9]]);
    view.noteChange(since(12), {});
    view.noteChange(since(8), { "a.example": 8 });
    expect(view.head("a.example")).toBe(9);
    view.apply(answerOf(11), 200, since(9));
    expect(view.isFresh(200)).toBe(false);
  });

  it("of an older log ends the confirmation and reports nothing", () => {
    const view = viewAt(5);
    view.apply(answerOf(2, { incarnation: 2, full: true }), 200, null);
    view.noteChange(since(8), { "a.example": 8 }, ["t"]);
    expect(view).toMatchObject({ incarnation: 2, asOf: 2, askedAt: NEVER });
    expect(view.head("a.example")).toBeUndefined();
    expect(view.isRevoked("t")).toBe(false);
    view.apply(answerOf(2, { incarnation: 2 }), 300, since(2, 2));
    expect(view.isFresh(300)).toBe(true);
  });

  it("of a newer log starts that log", () => {
    const view = viewAt(50, [["a.example", 40]]);
    view.noteChange(since(2, 2), { "b.example": 2 });
    expect(view).toMatchObject({ incarnation: 2, isComplete: false, position: null, asOf: 0 });
    expect(view.head("a.example")).toBeUndefined();
    expect(view.head("b.example")).toBe(2);
  });
});

describe("answers to one log", () => {
  const domains = ["a", "b", "c"];

  it("may come in any order, twice or not at all: what is confirmed is true", () => {
    const step = fc.record({
      /** Up to which number the Registry has got when it answers. */
      asOf: fc.nat(20),
      /** How far back the question goes. */
      back: fc.nat(6),
      askedAt: fc.nat(1_000),
      isFull: fc.boolean(),
      repeats: fc.integer({ min: 1, max: 2 }),
    });
    const order = fc.array(fc.constantFrom(...domains), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(order, fc.array(step, { maxLength: 12 }), (changes, steps) => {
        // Change number n (from 1) is of domain changes[n - 1].
        const headAt = (domain: string, asOf: number): number | undefined => {
          const number = changes.slice(0, asOf).lastIndexOf(domain) + 1;
          return number === 0 ? undefined : number;
        };
        const view = new LogView(0, WINDOW);
        let best = -1;
        for (const { asOf, back, askedAt, isFull, repeats } of steps) {
          const position = view.position;
          const from = isFull || position === null ? -1 : Math.max(0, position.number - back);
          const heads = domains.flatMap((domain): [string, number][] => {
            const head = headAt(domain, asOf);
            return head !== undefined && head > from ? [[domain, head]] : [];
          });
          // The Registry never answers with less than what it was asked from, but answers may arrive late.
          if (asOf < from) continue;
          for (let i = 0; i < repeats; i++) {
            view.apply(answerOf(asOf, { full: from < 0, heads }), askedAt, from < 0 ? null : since(from));
          }
          best = Math.max(best, asOf);
          expect(view.asOf).toBe(best);
          for (const domain of domains) expect(view.head(domain)).toBe(headAt(domain, best));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
