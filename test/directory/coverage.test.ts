import { describe, expect, it } from "vitest";
import { fingerprint } from "../../src/directory/address/fingerprint.ts";
import { DEFAULT_POLICY } from "../../src/directory/address/policy.ts";
import { toHex } from "../../src/directory/bytes.ts";
import { ACTIVE, DISABLED, FULL, MOVED } from "../../src/directory/formats/shard.ts";
import { fingerprintIn } from "../../src/directory/formats/single-changes.ts";
import {
  isCovered,
  NO_COVERAGE,
  type OtherEntry,
  otherWays,
  visitCovered,
} from "../../src/directory/names/coverage.ts";
import { KEY as key } from "./helpers.ts";

const printOf = (name: string): string => toHex(fingerprintIn(fingerprint(key.names, name)));
const shown = ({ print, isPattern }: OtherEntry): [string, boolean] => [toHex(print), isPattern];

describe("how a list may accept a name that it does not list", () => {
  it("is by its stem, and in a list with patterns by those that cover the name or its stem", () => {
    const ways = otherWays(key, "john-support+tag", DEFAULT_POLICY, false);
    expect(ways.entries.map(shown)).toEqual([[printOf("john-support"), false]]);
    const { entries } = otherWays(key, "john+tag", DEFAULT_POLICY, true);
    expect(entries.map(({ isPattern }) => isPattern)).toContain(true);
    expect(entries.filter(({ isPattern }) => !isPattern).map(shown)).toEqual([[printOf("john"), false]]);
    expect(otherWays(key, "john", DEFAULT_POLICY, false)).toEqual({ entries: [], isPostmaster: false });
  });

  it("is as postmaster, if the policy says so", () => {
    const isPostmaster = (name: string, postmaster: boolean): boolean =>
      otherWays(key, name, { ...DEFAULT_POLICY, postmaster }, false).isPostmaster;
    expect(isPostmaster("postmaster", true)).toBe(true);
    expect(isPostmaster("postmaster", false)).toBe(false);
    expect(isPostmaster("post", true)).toBe(false);
  });
});

describe("a list accepts a name that it does not list", () => {
  const entry = (byte: number): OtherEntry => ({ print: Uint8Array.of(byte), isPattern: false });
  const accepts = (states: readonly number[], isPostmaster = false, isLeaving = false): boolean =>
    isCovered(
      { entries: states.map((_, i) => entry(i)), isPostmaster },
      isLeaving,
      ({ print }) => states[print[0] as number] as number,
    );

  it("if the first entry that it has for it accepts or defers", () => {
    expect([accepts([ACTIVE]), accepts([FULL]), accepts([-1, ACTIVE, DISABLED])]).toEqual([true, true, true]);
    expect([accepts([DISABLED, ACTIVE]), accepts([-1, MOVED]), accepts([-1, -1]), accepts([])]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it("or may defer it, if names left lately and it has another entry, or had one", () => {
    const mayDefer = (...states: number[]): boolean => accepts(states, false, true);
    expect([mayDefer(-1), mayDefer(DISABLED), mayDefer(-1, MOVED), mayDefer()]).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it("or as postmaster, if it has none", () => {
    expect([accepts([-1], true), accepts([DISABLED], true)]).toEqual([true, false]);
  });
});

describe("a visit of differences as a check sees them", () => {
  const seenWith = (coverage: typeof NO_COVERAGE, was: number, is: number): number[] => {
    const seen: number[] = [];
    visitCovered((_, ...states) => seen.push(...states), coverage)(7, was, is);
    return seen;
  };
  const covering = (...tails: number[]) => ({ covered: new Set(tails), catchall: false });

  it("shows a name that was accepted without an entry as accepted before", () => {
    expect(seenWith(covering(7), -1, DISABLED)).toEqual([ACTIVE, DISABLED]);
    expect(seenWith({ covered: new Set(), catchall: true }, -1, DISABLED)).toEqual([ACTIVE, DISABLED]);
    expect(seenWith({ covered: null, catchall: false }, -1, MOVED)).toEqual([ACTIVE, MOVED]);
  });

  it("shows any other as it is", () => {
    expect(seenWith(covering(8), -1, DISABLED)).toEqual([-1, DISABLED]);
    expect(seenWith(NO_COVERAGE, -1, DISABLED)).toEqual([-1, DISABLED]);
    expect(seenWith(covering(7), -1, ACTIVE)).toEqual([-1, ACTIVE]);
    expect(seenWith(covering(7), MOVED, DISABLED)).toEqual([MOVED, DISABLED]);
  });
});
