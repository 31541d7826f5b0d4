import { describe, expect, it } from "vitest";
import { fingerprint, fingerprintIn, type PatchedName, UNLISTED } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { type Base, memorySource, type PublishTarget, planList } from "../../src/publish/index.ts";
import { people } from "../../testing/lists.ts";
import { keyOf } from "../support/memory-edge.ts";

const D = "example.com";
const key = keyOf(D);

const changeOf = (name: string, was: number, state: number): PatchedName => ({
  fingerprint: fingerprintIn(fingerprint(key.names, name)),
  was,
  state,
});

/** Plans a list for a head with these single changes. */
async function planOf(
  list: readonly string[],
  patched: readonly PatchedName[],
  decision: PublishTarget["patched"] | Pick<PublishTarget, "settingsPatched">,
) {
  const decided = typeof decision === "object" ? decision : { patched: decision };
  const target: PublishTarget = {
    domain: D,
    source: memorySource(
      "a list",
      list.map((name) => `${name}@${D}`),
    ),
    policy: {},
    canaries: [],
    ...decided,
  };
  const ports = {
    hashing: stablelibHashing,
    recorder: null,
    progress: {},
    judge: async <P>(plan: P): Promise<P> => plan,
  };
  const first = await planList(ports, target, { key, partition: 0, base: null });
  const { packed, resultingPolicy: policy, resultingMode: mode } = first.plan;
  const base: Base = {
    hasPatterns: false,
    isLeaving: false,
    generation: 1,
    deleted: false,
    keyId: key.id,
    policy,
    mode,
    counts: packed.counts,
    list: { table: packed.table, read: async () => packed.shards[0] as Uint8Array },
    patched,
    patterns: null,
  };
  return (await planList(ports, target, { key, partition: 0, base })).plan;
}

describe("single changes that a list does not know", () => {
  const changes = [changeOf("new", UNLISTED, 0), changeOf("u1", 0, UNLISTED), changeOf("u2", 0, 1)];

  it("are in the plan if they are kept", async () => {
    const { packed, patched } = await planOf(people(10), changes, "keep");
    expect(packed.counts).toMatchObject({ active: 9, disabled: 1 });
    expect(patched).toMatchObject({ decision: "keep", added: 1, removed: 1, changed: 1, settles: false });
    expect(patched?.kept).toHaveLength(3);
  });

  it.each(["drop", undefined] as const)(
    "are not if it is decided otherwise, or not: %s",
    async (decision) => {
      const { packed, patched } = await planOf(people(10), changes, decision);
      expect(packed.counts).toMatchObject({ active: 10 });
      expect(patched).toMatchObject({ decision: decision ?? null, kept: [], settles: true });
    },
  );

  it("stay if they refuse somebody with --now, whatever rollcall.toml says of the others", async () => {
    const [added, removed, disabled] = changes as [PatchedName, PatchedName, PatchedName];
    const some = [added, { ...removed, atOnce: true }, disabled];
    const { packed, patched } = await planOf(people(10), some, { settingsPatched: "drop" });
    expect(packed.counts).toMatchObject({ active: 9, disabled: 0 });
    expect(patched).toMatchObject({ decision: "drop", settles: true });
    expect(patched?.kept).toHaveLength(1);
    // A person may say otherwise of one publish, and a list without the name settles it.
    expect((await planOf(people(10), some, "drop")).patched?.kept).toEqual([]);
    expect((await planOf(people(9, 2), some, { settingsPatched: "drop" })).patched?.kept).toEqual([]);
    expect((await planOf(people(10), some, { settingsPatched: "keep" })).patched?.kept).toHaveLength(3);
  });

  it("get shards with room for them: a publish that keeps them ends repack_needed", async () => {
    const many = people(30_000, 1_000).map((name) => changeOf(name, UNLISTED, 0));
    const { packed } = await planOf(people(100), many, "keep");
    expect(packed.counts.active).toBe(30_100);
    expect(packed.table.bits).toBe(2);
    expect((await planOf(people(100), many, "drop")).packed.table.bits).toBe(0);
  });
});
