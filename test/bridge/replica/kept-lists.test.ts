import { beforeEach, describe, expect, it } from "vitest";
import { KeptLists } from "../../../src/bridge/replica/kept-lists.ts";
import { DAY, HOUR } from "../../../testing/units.ts";

const A = "a.example";
const B = "b.example";
const state = (incarnation: number, number: number) => ({ incarnation, number });
const all = (_domain: string): boolean => true;
const toRegistry = (at: number): number => at + 1;

let now = 0;
let lists: KeptLists;
const begin = (acceptGrace: number): void => {
  now = 10 * DAY;
  lists = new KeptLists(acceptGrace, (since) => now - since);
};
beforeEach(() => begin(7 * DAY));

describe("a list that is not the newest any more", () => {
  it("accepts for less than a day from its last confirmation, and for less than accept-grace", () => {
    for (const [acceptGrace, most] of [
      [7 * DAY, DAY],
      [HOUR, HOUR],
    ] as const) {
      begin(acceptGrace);
      lists.startFrom(A, state(1, 7), now);
      now += most - 1;
      expect(lists.goesOn([A])).toBe(true);
      now++;
      expect(lists.goesOn([A])).toBe(false);
    }
  });

  it("counts from a poll that found it to be the newest, and from no other", () => {
    lists.startFrom(A, state(1, 7), now);
    now += HOUR;
    lists.noteNewest(A, state(1, 7), now);
    now += HOUR;
    for (const head of [state(1, 8), state(2, 7)]) lists.noteNewest(A, head, now);
    lists.noteNewest(B, state(1, 7), now);
    expect(lists.head(A)).toEqual(state(1, 7));
    expect(lists.head(B)).toBeNull();
    now += DAY - HOUR - 1;
    expect(lists.goesOn([A])).toBe(true);
    now++;
    expect(lists.goesOn([A])).toBe(false);
  });

  it("is replaced by one that came in this run, and by none that was only stored", () => {
    lists.startFrom(A, state(1, 8), now);
    expect(lists.isReplaced(A, state(1, 7))).toBe(false);
    expect(lists.synced(A, state(1, 8), now)).toBe(true);
    lists.noteNewest(A, state(1, 8), now + HOUR);
    const older = [state(1, 7), state(0, 9), state(1, 8), state(2, 1)];
    expect(older.map((it) => lists.isReplaced(A, it))).toEqual([true, true, false, false]);
    expect(lists.isReplaced(B, state(1, 7))).toBe(false);
    // The same list again is no other one.
    expect([lists.synced(A, state(1, 8), now), lists.synced(A, state(1, 9), now)]).toEqual([false, true]);
    lists.remove(A);
    expect(lists.isReplaced(A, state(1, 7))).toBe(false);
  });

  it("of an alias counts from the earlier one of both, and needs both", () => {
    lists.startFrom(A, state(1, 7), now - HOUR);
    lists.startFrom(B, state(1, 8), now);
    now += DAY - HOUR - 1;
    expect(lists.goesOn([A, B])).toBe(true);
    expect(lists.goesOn([B, "unread.example"])).toBe(false);
    now++;
    expect([lists.goesOn([A, B]), lists.goesOn([B])]).toEqual([false, true]);
  });
});

describe("a domain that no log lists any more", () => {
  it("is accepted for less than accept-grace from the last contact with the log that listed it", () => {
    lists.noteEarlier(A, now);
    now += 7 * DAY - 1;
    expect([lists.isHeld(A), lists.prune(), lists.isEarlier(A)]).toEqual([true, false, true]);
    now++;
    expect([lists.isHeld(A), lists.isEarlier(A)]).toEqual([false, true]);
    expect([lists.prune(), lists.isEarlier(A), lists.prune()]).toEqual([true, false, false]);
  });

  it("is forgotten with its list", () => {
    expect(lists.synced(A, state(1, 7), now)).toBe(true);
    lists.noteEarlier(A, now);
    lists.remove(A);
    expect([lists.isHeld(A), lists.isEarlier(A), lists.head(A)]).toEqual([false, false, null]);
  });

  it("is one of the present log again once its list is here", () => {
    lists.noteEarlier(A, now);
    lists.settle(A);
    expect([lists.isHeld(A), lists.isEarlier(A)]).toEqual([false, false]);
  });
});

describe("what is stored", () => {
  beforeEach(() => {
    lists.startFrom(A, state(1, 7), 100);
    lists.startFrom(B, state(1, 8), 200);
    lists.startFrom("never.example", state(1, 9), Number.NEGATIVE_INFINITY);
  });

  it("is each list that is behind its head, or has none, with the time of its last confirmation", () => {
    const heads = new Map([
      [A, state(1, 9)],
      [B, state(1, 8)],
    ]);
    const behind = (isOf = all) => lists.behind((domain) => heads.get(domain) ?? null, isOf, toRegistry);
    expect(behind()).toEqual([[A, 1, 7, 101]]);
    heads.set(B, state(2, 8));
    expect(behind((domain) => domain === B)).toEqual([[B, 1, 8, 201]]);
    heads.delete(A);
    expect(behind()).toEqual([
      [A, 1, 7, 101],
      [B, 1, 8, 201],
    ]);
    lists.remove(A);
    expect(behind()).toEqual([[B, 1, 8, 201]]);
  });

  it("is each domain that an earlier log listed, with the last contact with that", () => {
    lists.noteEarlier(A, 300);
    lists.noteEarlier(B, 400);
    lists.noteEarlier("never.example", Number.NEGATIVE_INFINITY);
    expect(lists.earlier(all, toRegistry)).toEqual([
      [A, 301],
      [B, 401],
    ]);
    expect(lists.earlier((domain) => domain === B, toRegistry)).toEqual([[B, 401]]);
  });
});
