import { describe, expect, it } from "vitest";
import {
  acceptsByPattern,
  decodePatterns,
  listedPatterns,
  MAX_PATTERNS,
  patternCount,
} from "../../src/directory/formats/pattern-table.ts";
import { ACTIVE, DISABLED, FULL, findEntry, MOVED } from "../../src/directory/formats/shard.ts";
import { faultOf, packShard } from "./helpers.ts";

const table = (states: readonly number[]): Uint8Array =>
  packShard(new Map(states.map((state, i) => [i, state])), 0);
const many = (count: number): Uint8Array => table(Array.from({ length: count }, () => ACTIVE));

describe("a table of patterns", () => {
  it("has 1 to 2,000", () => {
    expect(MAX_PATTERNS).toBe(2_000);
    expect(decodePatterns(many(1)).count).toBe(1);
    expect(decodePatterns(many(MAX_PATTERNS)).count).toBe(MAX_PATTERNS);
    expect(faultOf(() => decodePatterns(many(0)))).toBe("damaged");
    expect(faultOf(() => decodePatterns(many(MAX_PATTERNS + 1)))).toBe("damaged");
    expect(() => decodePatterns(many(0))).toThrow("0 patterns in a table of 1 to 2000");
  });

  it("is one of one", () => {
    expect(faultOf(() => decodePatterns(packShard(new Map([[1, ACTIVE]]), 1, 0)))).toBe("damaged");
    expect(faultOf(() => decodePatterns(new Uint8Array(9)))).toBe("damaged");
  });

  it("has a state for each", () => {
    const digest = new Uint8Array(32);
    expect(findEntry(decodePatterns(table([MOVED])), digest)).toBe(MOVED);
  });

  it("accepts or defers, or only refuses", () => {
    expect(acceptsByPattern(null)).toBe(false);
    expect(acceptsByPattern(table([DISABLED, MOVED]))).toBe(false);
    expect(acceptsByPattern(table([DISABLED, ACTIVE]))).toBe(true);
    expect(acceptsByPattern(table([FULL]))).toBe(true);
  });

  it("is counted, also if there is none", () => {
    expect(patternCount(null)).toBe(0);
    expect(patternCount(many(3))).toBe(3);
  });

  it("is that of the list, whatever departures have", () => {
    const bytes = many(1);
    expect(listedPatterns({ patterns: null })).toBeNull();
    expect(listedPatterns({ patterns: { table: null, departedUntil: 7 } })).toBeNull();
    expect(listedPatterns({ patterns: { table: bytes, departedUntil: 0 } })).toBe(bytes);
  });
});
