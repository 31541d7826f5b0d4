/* Which manifest is newer, what the log proves about it, and from which generation a domain may be answered. */
import { describe, expect, it } from "vitest";
import type { Manifest } from "../../src/directory/index.ts";
import { AnsweredGenerations } from "../../src/reader/answered-generations.ts";
import { confirms, generationOf, isAhead, isPruned, lastContact } from "../../src/reader/evidence.ts";
import { LogView } from "../../src/reader/log-view.ts";
import { isNewer, numberIn } from "../../src/reader/manifest-order.ts";

const D = "example.com";

const manifestOf = (more: Partial<Manifest> = {}): Manifest =>
  ({ domain: D, incarnation: 2, generation: 5, time: 1_000, ...more }) as Manifest;

/** A view of log 2 at a number, asked at 100, with a window of 1,000. */
function viewAt(asOf: number, heads: [string, number][] = []): LogView {
  const view = new LogView(0, 1_000);
  view.apply({ incarnation: 2, asOf, full: true, heads, revoked: [], wanted: null }, 100, null);
  return view;
}

describe("isNewer", () => {
  it.each<[string, Partial<Manifest>, Partial<Manifest>, boolean]>([
    ["a later log, with a lower number", { incarnation: 3, generation: 1 }, {}, true],
    ["an earlier log, with a higher number", { incarnation: 1, generation: 9 }, {}, false],
    ["a higher number", { generation: 6 }, {}, true],
    ["the same number", {}, {}, true],
    ["a lower number", { generation: 4 }, {}, false],
  ])("%s", (_, a, b, expected) => {
    expect(isNewer(manifestOf(a), manifestOf(b))).toBe(expected);
  });
});

describe("numberIn", () => {
  it("is -1 for an older log, and the number for this one and a newer one", () => {
    const view = viewAt(9, [[D, 3]]);
    const numbers = [1, 2, 3].map((incarnation) => numberIn(view, manifestOf({ incarnation })));
    expect(numbers).toEqual([-1, 5, 5]);
  });
});

describe("confirms", () => {
  it.each<[string, Partial<Manifest>, number, boolean]>([
    ["the head, while the log is fresh", {}, 500, true],
    ["not when the window is over", {}, 1_100, false],
    ["no older generation", { generation: 4 }, 500, false],
    ["no newer generation", { generation: 6 }, 500, false],
    ["no other log", { incarnation: 3 }, 500, false],
    ["no domain without a head", { domain: "other.example" }, 500, false],
  ])("%s", (_, manifest, now, expected) => {
    expect(confirms(viewAt(9, [[D, 5]]), manifestOf(manifest), now)).toBe(expected);
  });
});

describe("isAhead", () => {
  it.each<[string, Partial<Manifest>, boolean]>([
    ["a higher number than the head's", { generation: 6 }, true],
    ["the head", {}, false],
    ["a newer log, with a lower number", { incarnation: 3, generation: 1 }, true],
    ["a domain without a head", { domain: "other.example", generation: 0 }, true],
  ])("%s", (_, manifest, expected) => {
    expect(isAhead(viewAt(9, [[D, 5]]), manifestOf(manifest))).toBe(expected);
  });
});

describe("isPruned", () => {
  it.each<[string, Partial<Manifest>, boolean]>([
    ["a generation that the log has passed", { generation: 8 }, true],
    ["the generation that the log is at", { generation: 9 }, true],
    ["not a later one", { generation: 10 }, false],
    ["one of an older log, whatever its number", { incarnation: 1, generation: 99 }, true],
    ["not one of a newer log", { incarnation: 3, generation: 8 }, false],
  ])("%s", (_, manifest, expected) => {
    expect(isPruned(viewAt(9), manifestOf(manifest))).toBe(expected);
  });

  it("not while the log is not known", () => {
    expect(isPruned(new LogView(0, 1_000), manifestOf({ incarnation: 0, generation: -1 }))).toBe(false);
  });
});

describe("generationOf", () => {
  const T = "target.example";
  const target = (generation: number, more: Partial<Manifest> = {}): Manifest =>
    manifestOf({ domain: T, generation, ...more });

  it.each<[string, [string, number][], Manifest, number]>([
    ["the target's, where it is the larger one", [[T, 8]], target(8), 8],
    ["the alias's, where it is the larger one", [[T, 3]], target(3), 5],
    ["the target's head at most", [[T, 7]], target(8), 7],
    ["the alias's, where the target has no head", [], target(8), 5],
    ["the alias's, where the target is of another log", [[T, 8]], target(8, { incarnation: 3 }), 5],
  ])("is %s", (_, heads, list, expected) => {
    expect(generationOf(viewAt(9, [[D, 5], ...heads]), manifestOf(), list)).toBe(expected);
  });

  it("is the domain's own if it is no alias", () => {
    const own = manifestOf({ generation: 3 });
    expect(generationOf(viewAt(9, [[D, 5]]), own, own)).toBe(3);
  });

  it("is the alias's if that is not the head, or of another log", () => {
    const view = viewAt(9, [
      [D, 5],
      [T, 8],
    ]);
    expect(generationOf(view, manifestOf({ generation: 4 }), target(8))).toBe(4);
    expect(generationOf(view, manifestOf({ incarnation: 3 }), target(8))).toBe(5);
  });

  it("is the alias's if the target's number is later than what is known of the log", () => {
    const view = viewAt(9, [[D, 5]]);
    view.noteChange({ incarnation: 2, number: 12 }, { [T]: 12 });
    expect(generationOf(view, manifestOf(), target(12))).toBe(5);
    view.noteChange({ incarnation: 2, number: 12 }, { "at.example": 9 });
    expect(generationOf(view, manifestOf(), target(9, { domain: "at.example" }))).toBe(9);
  });
});

describe("lastContact", () => {
  it("is the newest of the log's own and the times of the Registry's lists", () => {
    const view = viewAt(9);
    const list = (time: number) => ({ manifest: manifestOf({ time }) });
    expect(lastContact(view, [])).toBe(100);
    expect(lastContact(view, [list(50)])).toBe(100);
    expect(lastContact(view, [list(50), list(200)])).toBe(200);
  });
});

describe("answered generations", () => {
  it("allow everything at first", () => {
    expect(new AnsweredGenerations().lowest(D, 2)).toBe(0);
  });

  it("do not go back within a log, and rule out an older log", () => {
    const answered = new AnsweredGenerations();
    answered.note(manifestOf({ generation: 5 }));
    answered.note(manifestOf({ generation: 4 }));
    expect(answered.lowest(D, 2)).toBe(5);
    expect(answered.lowest(D, 1)).toBe(Number.POSITIVE_INFINITY);
    expect(answered.lowest(D, 3)).toBe(0);
    expect(answered.lowest("other.example", 2)).toBe(0);
    answered.note(manifestOf({ generation: 6 }));
    expect(answered.lowest(D, 2)).toBe(6);
    answered.note(manifestOf({ incarnation: 3, generation: 1 }));
    expect(answered.lowest(D, 3)).toBe(1);
    expect(answered.lowest(D, 2)).toBe(Number.POSITIVE_INFINITY);
  });
});
