import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blobIds,
  decodeShard,
  ENTRY_STATES,
  type EntryState,
  findEntry,
  fingerprint,
  SHARD_ENTRIES,
  shardOf,
} from "../../src/directory/index.ts";
import { INLINE_SHARD, type PackedList } from "../../src/publish/pack.ts";
import { forAll, idOf } from "../directory/helpers.ts";
import { active, DOMAIN, type Lines, names, packed } from "../support/lists.ts";
import { keyOf } from "../support/memory-edge.ts";

/** State of a name in a packed list, or null. */
function stateIn(list: PackedList, name: string): EntryState | null {
  const digest = fingerprint(keyOf(DOMAIN).names, name);
  const shard = decodeShard(list.shards[shardOf(digest, list.table.bits)] as Uint8Array);
  return ENTRY_STATES[findEntry(shard, digest)] ?? null;
}

const anyLines = fc.uniqueArray(
  fc.tuple(fc.stringMatching(/^[a-z0-9]{1,12}$/), fc.constantFrom(...ENTRY_STATES)),
  { selector: ([name]) => name, maxLength: 60 },
);

describe("a packed list", () => {
  it("has every entry in its state, and nothing else", () => {
    forAll<[Lines]>([anyLines], (lines) => {
      const list = packed(lines);
      for (const [name, state] of lines) expect(stateIn(list, name)).toBe(state);
      expect(stateIn(list, "somebody-else")).toBeNull();
      for (const state of ENTRY_STATES) {
        expect(list.counts[state]).toBe(lines.filter((line) => line[1] === state).length);
      }
    });
  });

  it("does not depend on order or repetitions", () => {
    forAll<[Lines]>([anyLines], (lines) => {
      const { table } = packed(lines);
      expect(packed([...lines].reverse()).table).toEqual(table);
      expect(packed([...lines, ...lines]).table).toEqual(table);
    });
  });

  it("is stored in its manifest if it is small, otherwise under content ids", () => {
    expect(packed(active("a")).table.inline).not.toBeNull();
    const larger = packed(names(6_800));
    expect(larger.table).toMatchObject({ bits: 0, inline: null });
    expect(larger.shards[0]?.length).toBeGreaterThan(INLINE_SHARD);
    expect(blobIds(larger.table)).toEqual(larger.shards.map(idOf));
  });

  it("is split into shards of about the planned size", () => {
    const list = packed(names(5 * SHARD_ENTRIES));
    expect(list.table.bits).toBe(2);
    expect(list.shards).toHaveLength(4);
    expect(blobIds(list.table)).toEqual(list.shards.map(idOf));
    for (const [name] of names(500)) expect(stateIn(list, name)).toBe("active");
    expect(list.counts.active).toBe(5 * SHARD_ENTRIES);
  });

  it("keeps the number of shards while the entries fit", () => {
    expect(packed(names(20_000), { bitsInUse: 1 }).table.bits).toBe(1);
    expect(packed(names(20_000), { bitsInUse: 2 }).table.bits).toBe(2);
    expect(packed(names(20_000), { bitsInUse: 5 }).table.bits).toBe(1);
  });

  it("reports repeated names, and keeps the state that accepts mail, or else the first", () => {
    const reports: string[] = [];
    const repetitions = {
      duplicate: (line: number, first: number) => reports.push(`${line} repeats ${first}`),
      clash: (line: number, first: number) => reports.push(`${line} contradicts ${first}`),
    };
    const lines: Lines = [
      ["a", "full"],
      ["b", "active"],
      ["a", "active"],
      ["b", "active"],
      ["a", "full"],
      ["c", "disabled"],
      ["c", "active"],
      ["d", "moved"],
      ["d", "disabled"],
    ];
    const list = packed(lines, { repetitions });
    expect(reports.sort()).toEqual([
      "3 contradicts 1",
      "4 repeats 2",
      "5 repeats 1",
      "7 contradicts 6",
      "9 contradicts 8",
    ]);
    expect(["a", "b", "c", "d"].map((name) => stateIn(list, name))).toEqual([
      "full",
      "active",
      "active",
      "moved",
    ]);
    expect(list.counts).toEqual({ active: 2, disabled: 0, full: 1, moved: 1 });
  });
});
