import { describe, expect, it } from "vitest";
import { blobIds, DEFAULT_POLICY, fingerprint, tailOf } from "../../src/directory/index.ts";
import { MAX_COVERED, RefusedNames } from "../../src/publish/covered.ts";
import { pack } from "../../testing/lists.ts";
import { World } from "../../testing/world.ts";

const DOMAIN = "example.com";
const key = new World().keyFor(DOMAIN, 1);
const tailOfName = (name: string): number => tailOf(fingerprint(key.names, name));

/** A head that is stored elsewhere, and how often each shard of it was read. */
function head(names: readonly string[], bits: number) {
  const packed = pack(names, key, DEFAULT_POLICY, { bits });
  const reads = new Map<string, number>();
  const ids = blobIds(packed.table);
  const read = async (id: string): Promise<Uint8Array> => {
    reads.set(id, (reads.get(id) ?? 0) + 1);
    return packed.shards[ids.indexOf(id)] ?? expect.fail(`${id} is no shard of the head`);
  };
  return { packed, reads, list: { table: packed.table, read }, patterns: null, isLeaving: false };
}

describe("names that the head accepts without listing them", () => {
  const refused = (names: readonly string[]): RefusedNames => {
    const found = new RefusedNames({ policy: DEFAULT_POLICY, hasPatterns: false });
    for (const name of names) found.add(key, name, tailOfName(name));
    return found;
  };

  it("are found by their stems, each shard read once, and none that both lists have", async () => {
    const stems = Array.from({ length: 400 }, (_, i) => `u${i}`);
    const before = head(stems, 3);
    const names = [...stems.map((stem) => `${stem}+tag`), "nobody+tag", "nobody"];
    const after = pack([...stems, "newcomer"], key, DEFAULT_POLICY, { bits: 3 });
    const covered = await refused(names).coveredBy(before, after, names.map(tailOfName));
    expect(covered).toEqual(new Set(stems.map((stem) => tailOfName(`${stem}+tag`))));
    expect([...before.reads.values()]).toEqual([1]);
  });

  it("are among those that are asked for alone", async () => {
    const before = head(["alice", "bob"], 0);
    const names = refused(["alice+x", "bob+x"]);
    expect(await names.coveredBy(before, before.packed, [tailOfName("bob+x")])).toEqual(
      new Set([tailOfName("bob+x")]),
    );
  });

  it("are not known past a bound, and those that nothing could accept do not count", async () => {
    const before = head(["alice"], 0);
    const names = refused([]);
    for (let i = 0; i <= MAX_COVERED; i++) names.add(key, `plain${i}`, i);
    for (let i = 0; i < MAX_COVERED; i++) names.add(key, "alice+x", i);
    expect((await names.coveredBy(before, before.packed, [0]))?.size).toBe(1);
    names.add(key, "alice+x", MAX_COVERED);
    expect(await names.coveredBy(before, before.packed, [0])).toBeNull();
  });
});
