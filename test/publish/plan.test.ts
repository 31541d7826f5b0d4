import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  acceptedCount,
  blobIds,
  type DomainPolicy,
  ENTRY_STATES,
  type EntryState,
  fingerprint,
  type Mode,
  tailOf,
} from "../../src/directory/index.ts";
import { RefusedNames } from "../../src/publish/covered.ts";
import { type Base, type DomainPlan, type Intent, planDomain } from "../../src/publish/index.ts";
import type { PackedList } from "../../src/publish/pack.ts";
import { forAll, policyWith } from "../directory/helpers.ts";
import { active, DOMAIN, type Lines, names, packed } from "../support/lists.ts";
import { keyOf } from "../support/memory-edge.ts";

/** A generation whose shards lie elsewhere; `read` notes which were asked for. */
function base(list: PackedList, more: Partial<Base> = {}, read: string[] = []): Base {
  const byId = new Map(blobIds(list.table).map((id, i) => [id, list.shards[i] as Uint8Array]));
  return {
    hasPatterns: false,
    isLeaving: false,
    generation: 7,
    deleted: false,
    keyId: keyOf(DOMAIN).id,
    policy: policyWith(),
    mode: "enforce",
    counts: list.counts,
    patterns: list.patterns,
    list: {
      table: list.table,
      read: async (id) => {
        read.push(id);
        return byId.get(id) as Uint8Array;
      },
    },
    ...more,
  };
}

const plan = (
  list: PackedList,
  before: Base | null,
  more: { policy?: Partial<DomainPolicy>; mode?: Mode; canaries?: string[]; key?: Intent["key"] } = {},
): Promise<DomainPlan> =>
  planDomain(
    {
      ...{ domain: DOMAIN, key: keyOf(DOMAIN), partition: 0, packed: list, policy: {}, canaries: [] },
      refused: before === null ? undefined : new RefusedNames(before),
      ...more,
    },
    before,
  );

const states = fc.constantFrom(...ENTRY_STATES);
const anyList = fc
  .dictionary(fc.constantFrom(..."abcdefghijklmnopqrst"), states, { maxKeys: 20 })
  .map((list) => new Map(Object.entries(list)));

const accepted = (state: EntryState | undefined): boolean => state === "active" || state === "full";

describe("a plan", () => {
  it("counts names as a naive comparison does", async () => {
    await fc.assert(
      fc.asyncProperty(anyList, anyList, async (was, is) => {
        const { difference } = await plan(packed([...is]), base(packed([...was])));
        const both = [...was.keys()].filter((name) => is.has(name));
        expect(difference).toEqual({
          added: is.size - both.length,
          removed: was.size - both.length,
          changed: both.filter((name) => was.get(name) !== is.get(name)).length,
          lost: [...was].filter(([name, state]) => accepted(state) && !accepted(is.get(name))).length,
        });
      }),
    );
  });

  it.each([
    [9_000, 0, 9_000, 0],
    [9_000, 0, 9_000, 1],
    [20_000, 2, 20_000, 1],
    [20_000, 2, 20_000, 2],
    [9_000, 0, 80_000, 3],
    [80_000, 3, 9_000, 0],
  ])("counts from %i names in 2^%i shards to %i in 2^%i", async (from, fromBits, to, toBits) => {
    const was = packed([...names(from), ...names(50, "leaver")], { bitsInUse: fromBits });
    const is = packed([...names(to), ...names(30, "joiner")], { bitsInUse: toBits });
    expect([was.table.bits, is.table.bits]).toEqual([fromBits, toBits]);
    const { difference, leaving } = await plan(is, base(was));
    const added = 30 + Math.max(0, to - from);
    const removed = 50 + Math.max(0, from - to);
    expect(difference).toEqual({ added, removed, changed: 0, lost: removed });
    expect(leaving.size).toBe(Math.min(1_000, removed));
  });

  it("reads only the shards that differ", async () => {
    const lines = names(40_000);
    const was = packed(lines);
    const is = packed([...lines, ["one-more", "active"]], { bitsInUse: was.table.bits });
    const read: string[] = [];
    const { difference, unchanged } = await plan(is, base(was, {}, read));
    expect(difference).toMatchObject({ added: 1, removed: 0 });
    expect(read).toHaveLength(1);
    expect(unchanged).toBe(false);
  });

  it("fails if a shard cannot be read", async () => {
    const before = base(packed(names(9_000)));
    const list = { table: before.list.table, read: () => Promise.reject(new Error("gone")) };
    await expect(plan(packed(names(9_001)), { ...before, list })).rejects.toThrow("gone");
  });

  it("recognises a list that is already published", async () => {
    const list = packed(active("a", "b"));
    expect(await plan(list, base(list))).toMatchObject({ unchanged: true, refusal: null, expect: 7 });
    expect(await plan(list, base(list), { mode: "observe" })).toMatchObject({ unchanged: false });
    expect(await plan(list, base(list), { policy: { grace: 60 } })).toMatchObject({
      unchanged: false,
      changes: [{ setting: "grace", from: 3600, to: 60 }],
    });
    expect(await plan(list, base(list), { policy: { grace: 3600 } })).toMatchObject({ unchanged: true });
    expect(await plan(list, base(list, { deleted: true }))).toMatchObject({ unchanged: false });
  });

  it("keeps mode and policy unless they change", async () => {
    const list = packed(active("a"));
    const before = base(list, { mode: "observe", policy: policyWith({ grace: 5 }) });
    const result = await plan(packed(active("a", "b")), before);
    expect(result).toMatchObject({ resultingMode: "observe", resultingPolicy: { grace: 5 }, changes: [] });
  });

  it("has the tails of names that leave, and of names that stay but are rejected", async () => {
    const { leaving } = await plan(
      packed([
        ["a", "active"],
        ["b", "disabled"],
      ]),
      base(packed(active("a", "b", "c"))),
    );
    const tail = (name: string): number => tailOf(fingerprint(keyOf(DOMAIN).names, name));
    expect(leaving).toEqual(
      new Map([
        [tail("b"), "refused"],
        [tail("c"), "removed"],
      ]),
    );
  });
});

describe("the guard of a plan", () => {
  const ten = active(..."abcdefghij");
  it.each<[string, Lines, RegExp | null]>([
    ["lets two of ten go", ten.slice(2), null],
    ["refuses three of ten", ten.slice(3), /would refuse 3 of 10 names/],
    ["refuses an empty list", [], /would refuse all 10 names/],
    [
      "counts those who are disabled",
      ten.map(([name], i) => [name, i < 3 ? "disabled" : "active"]),
      /3 of 10/,
    ],
    ["does not count those who are full", ten.map(([name]) => [name, "full"]), null],
    ["does not count newcomers against leavers", [...ten.slice(3), ...names(90)], /3 of 10/],
  ])("%s", async (_, lines, expected) => {
    const { refusal } = await plan(packed(lines), base(packed(ten)));
    if (expected === null) expect(refusal).toBeNull();
    else expect(refusal).toMatch(expected);
  });

  it("applies the stored share, not the new one", async () => {
    const before = base(packed(ten));
    expect((await plan(packed(ten.slice(5)), before, { policy: { guard: 1 } })).refusal).toMatch(/guard/);
    const lax = base(packed(ten), { policy: policyWith({ guard: 0.5 }) });
    expect((await plan(packed(ten.slice(5)), lax)).refusal).toBeNull();
  });

  it.each<[string, Partial<DomainPolicy>]>([
    ["a catch-all that ends", { catchall: false }],
    ["other delimiters", { delimiters: "-", catchall: true }],
  ])("refuses %s", async (_, policy) => {
    const before = base(packed(ten), { policy: policyWith({ catchall: true }) });
    expect((await plan(packed(ten), before, { policy })).refusal).toMatch(/cannot be counted/);
  });

  it("refuses a list under another key, and warns that the domain refuses nobody for the grace", async () => {
    const list = packed(ten, { epoch: 2 });
    const result = await plan(list, base(packed(ten)), { key: keyOf(DOMAIN, 2) });
    expect(result).toMatchObject({ difference: null, unchanged: false });
    expect(result.refusal).toMatch(/cannot be compared/);
    expect(result.warnings.join()).toMatch(/the domain refuses nobody for the departure grace/);
  });

  it("refuses an empty first list, except for an alias or a catch-all", async () => {
    expect((await plan(packed([]), null)).refusal).toMatch(/is empty/);
    expect((await plan(packed([]), null, { policy: { alias: "example.net" } })).refusal).toBeNull();
    expect((await plan(packed([]), null, { policy: { catchall: true } })).refusal).toBeNull();
  });

  it("refuses nothing that it would not refuse name by name", () => {
    forAll<[Map<string, EntryState>]>([anyList], (list) => {
      const { counts } = packed([...list]);
      expect(acceptedCount(counts)).toBe([...list.values()].filter(accepted).length);
    });
  });
});

describe("a step up of the mode", () => {
  const list = packed(active("postmaster"));

  it.each<[from: Mode, to: Mode | undefined, said: RegExp | null]>([
    [
      "observe",
      "defer",
      /^defer mode would have deferred about 42 distinct names in the last day; if there is backsc/,
    ],
    [
      "observe",
      "enforce",
      /^enforce mode would have refused about 42 distinct names in the last day; if there is/,
    ],
    ["defer", "enforce", /^enforce mode would have refused about 42 distinct names/],
    ["defer", "observe", null],
    ["observe", "observe", null],
    ["observe", undefined, null],
  ])(
    "from %s to %s says how many distinct names it would have refused, and stops nothing",
    async (mode, to, said) => {
      const before = base(list, { mode, wouldRefuse: 42 });
      const result = await plan(list, before, to === undefined ? {} : { mode: to });
      expect(result.warnings).toEqual(said === null ? [] : [expect.stringMatching(said)]);
      expect(result.refusal).toBeNull();
    },
  );

  it("says nothing if that is not known, or nothing is served", async () => {
    for (const before of [
      base(list, { mode: "observe", wouldRefuse: null }),
      base(list, { mode: "observe" }),
      base(list, { mode: "observe", wouldRefuse: 42, deleted: true }),
      null,
    ])
      expect((await plan(list, before, { mode: "enforce" })).warnings).toEqual([]);
  });
});

describe("canaries and warnings", () => {
  it("find an address that is missing or not accepted", async () => {
    const list = packed([
      ["a", "active"],
      ["b", "full"],
      ["c", "disabled"],
    ]);
    const canaries = ["A@example.com", "b@Example.com", "c@example.com", "d@example.com", "a+x@example.com"];
    const { missingCanaries } = await plan(list, null, { canaries });
    expect(missingCanaries).toEqual(["c@example.com", "d@example.com", "a+x@example.com"]);
  });

  it("warn of a list without postmaster", async () => {
    expect((await plan(packed(active("a")), null)).warnings.join()).toMatch(
      /no postmaster; mail to it is accepted/,
    );
    const refused = await plan(packed(active("a")), null, { policy: { postmaster: false } });
    expect(refused.warnings.join()).toMatch(/no postmaster, and the policy does not accept it/);
    expect((await plan(packed(active("postmaster")), null, { mode: "enforce" })).warnings).toEqual([]);
  });

  it("warn of mail servers that ask in lower case, if case matters", async () => {
    const { warnings } = await plan(packed(active("postmaster")), null, {
      policy: { case: "sensitive" },
      mode: "enforce",
    });
    expect(warnings).toEqual([expect.stringMatching(/^case is sensitive, but the tables of Postfix/)]);
  });

  it("warn that the domain refuses nobody for the grace if recipients go whom no list names", async () => {
    const list = packed(active("postmaster"));
    const before = base(list, { policy: policyWith({ catchall: true }) });
    const notes = async (catchall: boolean): Promise<string> =>
      (await plan(list, before, { policy: { catchall } })).warnings.join();
    expect(await notes(false)).toMatch(/refuses nobody for the departure grace/);
    expect(await notes(true)).not.toMatch(/refuses nobody/);
  });

  it("warn that names are refused at once if grace is 0", async () => {
    const list = packed(active("postmaster"));
    const before = base(packed(active("postmaster", "a")), { policy: policyWith({ grace: 0 }) });
    expect((await plan(list, before)).warnings.join()).toMatch(/refused at once/);
  });
});
