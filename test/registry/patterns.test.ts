/* What the Registry makes of the patterns of a list. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainCommit, PlannedDomain } from "../../src/api/index.ts";
import {
  DEFAULT_POLICY,
  decodeDepartures,
  decodePatterns,
  departedUntil,
  findEntry,
  fingerprint,
  fromBase64Url,
  deferredUntil as leavesUntil,
  sentinels,
  toBase64Url,
} from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { packShard } from "../directory/helpers.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;
const NAMES = people(10);
const UNCOUNTABLE = "changes patterns, whose effect on who is accepted cannot be counted";

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const printOf = (pattern: string): Uint8Array =>
  fingerprint(desk.world.keyFor(D, 1).names, pattern.replace("*", "\0"));

/** The state of a pattern in the head, -1 if it is not listed. */
async function stateOf(pattern: string): Promise<number> {
  const table = (await desk.head())?.patterns?.table ?? null;
  return table === null ? -1 : findEntry(decodePatterns(table), printOf(pattern));
}

/** The Unix second until which names under a pattern are deferred, 0 if they are not. */
async function deferredUntil(pattern: string): Promise<number> {
  const inline = (await desk.head())?.departures.inline as Uint8Array;
  return departedUntil(decodeDepartures(inline), printOf(pattern));
}

/** Until when those are deferred who leave now. */
const graceEnds = (): number => leavesUntil(desk.world.clock.now(), 3_600, false);

describe("a commit with patterns", () => {
  it("keeps them with their states, and one without them has none", async () => {
    await desk.publish([...NAMES, "ticket-*", ["*-support", "full"], ["ceo-*", "disabled"]]);
    expect(await desk.head()).toMatchObject({ canonicaliser: 3, patterns: { departedUntil: 0 } });
    expect([await stateOf("ticket-*"), await stateOf("*-support"), await stateOf("ceo-*")]).toEqual([
      0, 2, 1,
    ]);
    expect((await desk.head())?.counts).toEqual({ active: 10, disabled: 0, full: 0, moved: 0 });
    await desk.publish(NAMES, { domain: "other.example" });
    expect(await desk.head("other.example")).toMatchObject({ canonicaliser: 1, patterns: null });
  });

  it("is a new generation if only patterns differ, and else is unchanged", async () => {
    const first = await desk.publish([...NAMES, "ticket-*"]);
    expect(await desk.publish([...NAMES, "ticket-*"])).toBe(first);
    expect(await desk.publish([...NAMES, "ticket-*", "case-*"])).toBe(first + 1);
    expect(await desk.publish([...NAMES, "ticket-*", ["case-*", "full"]])).toBe(first + 2);
  });

  it("is counted in listings and in the audit trail", async () => {
    await desk.publish([...NAMES, "ticket-*", "case-*"]);
    const [summary] = accepted(await desk.core.domains({ after: null, limit: 10 }));
    expect(summary).toMatchObject({ patterns: 2, counts: { active: 10 } });
    expect((await desk.trail())[0]?.detail).toMatch(/moved 0, patterns 2/);
    await desk.publish(NAMES, { force: true });
    expect(accepted(await desk.core.domains({ after: null, limit: 10 }))[0]).toMatchObject({ patterns: 0 });
    expect((await desk.trail())[0]?.detail).not.toMatch(/patterns/);
  });

  const table = (entries: ReadonlyMap<number, number>, bits = 0): string =>
    toBase64Url(packShard(entries, bits));

  it.each<[string, { [K in keyof DomainCommit]?: NonNullable<DomainCommit[K]> }, string]>([
    ["no base64url", { patterns: "?" }, "base64url"],
    ["no shard", { patterns: "AAAA" }, "shorter than its header"],
    ["an empty table", { patterns: table(new Map()) }, "0 patterns in a table of 1 to 2000"],
    ["one table of two", { patterns: table(new Map([[1, 0]]), 1) }, "patterns in a table"],
    [
      "too many",
      { patterns: table(new Map(Array.from({ length: 2_001 }, (_, i) => [i, 0]))) },
      "2001 patterns",
    ],
    ["another canonicaliser", { canonicaliser: 1 }, "made under canonicaliser 1, the edge has 3 for it"],
    [
      "the canonicaliser of the cuts before",
      { canonicaliser: 2 },
      "made under canonicaliser 2, the edge has 3",
    ],
    ["a canonicaliser of the future", { canonicaliser: 4 }, "made under canonicaliser 4"],
    ["the sentinels of a list without them", { sentinels: [] }, "its sentinels differ"],
  ])("is refused with %s", async (_, changes, message) => {
    const commit = { ...(await desk.prepare([...NAMES, "ticket-*"])), ...changes };
    expect(await desk.refusal([commit])).toMatchObject({
      code: "bad_request",
      message: expect.stringContaining(message),
    });
  });

  it("is refused with sentinels that do not cover the cuts", async () => {
    const commit = await desk.prepare([...NAMES, "ticket-*"]);
    const without = sentinels(desk.world.keyFor(D, 1).names, DEFAULT_POLICY);
    expect(await desk.refusal([{ ...commit, sentinels: without }])).toMatchObject({ code: "bad_request" });
    const { patterns: _, ...lacking } = commit;
    expect(await desk.refusal([lacking])).toMatchObject({
      message: expect.stringContaining("made under canonicaliser 3, the edge has 1 for it"),
    });
  });

  it("is refused for an alias", async () => {
    await desk.publish(NAMES, { domain: "target.example" });
    const commit = await desk.prepare(["ticket-*"], { policy: { alias: "target.example" } });
    expect(await desk.refusal([commit])).toMatchObject({
      message: expect.stringContaining("an alias has no list of its own"),
    });
  });
});

describe("the guard", () => {
  const refusalOf = async (commit: DomainCommit): Promise<string | undefined> =>
    (await desk.refusal([commit])).refusals?.[D];

  it("needs the override for a pattern that goes, or that refuses from now on", async () => {
    await desk.publish([...NAMES, "ticket-*", ["ceo-*", "disabled"]]);
    for (const list of [
      [...NAMES, ["ceo-*", "disabled"] as const],
      [...NAMES, ["ticket-*", "disabled"] as const, ["ceo-*", "disabled"] as const],
      [...NAMES, "ticket-*", ["ceo-*", "disabled"] as const, ["cfo-*", "moved"] as const],
    ]) {
      expect(await refusalOf(await desk.prepare(list))).toBe(UNCOUNTABLE);
    }
    expect(await stateOf("ticket-*")).toBe(0);
    await desk.publish([...NAMES, ["ceo-*", "disabled"]], { force: true });
    expect(await stateOf("ticket-*")).toBe(-1);
  });

  it("passes a pattern that joins, defers, or refuses no more", async () => {
    await desk.publish([...NAMES, ["ceo-*", "disabled"]]);
    await desk.publish([...NAMES, "ticket-*", ["ceo-*", "disabled"]]);
    await desk.publish([...NAMES, ["ticket-*", "full"], ["ceo-*", "active"]]);
    await desk.publish([...NAMES, ["ticket-*", "full"], ["ceo-*", "active"], "case-*"]);
    expect(await desk.head()).toMatchObject({ generation: 4 });
  });

  it("remembers patterns over a deletion", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    await desk.remove();
    expect(await refusalOf(await desk.prepare(NAMES))).toBe(UNCOUNTABLE);
    await desk.world.clock.advance(25 * 3_600_000);
    await desk.publish(NAMES);
  });

  it("accepts a first list of patterns alone, if one of them accepts", async () => {
    expect(await refusalOf(await desk.prepare([["ceo-*", "disabled"]]))).toMatch(/is empty/);
    await desk.publish(["ticket-*"]);
    expect(await desk.head()).toMatchObject({ counts: { active: 0 } });
  });

  it("still refuses a list that loses its last names, whatever patterns it has", async () => {
    await desk.publish(["alice", "ticket-*"]);
    expect(await refusalOf(await desk.prepare(["ticket-*"]))).toBe("would refuse the only name");
  });

  it("judges patterns of a plan as those of its commit", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    const planned = async (list: Parameters<Desk["prepare"]>[0]): Promise<unknown> => {
      const { key_id, canonicaliser, patterns } = await desk.prepare(list);
      const plan: PlannedDomain = {
        domain: D,
        expect: 1,
        key_id,
        canonicaliser,
        accepted: NAMES.length,
        names: { gone: "", back: "" },
        ...(patterns === undefined ? {} : { patterns }),
      };
      return accepted(await desk.plan([plan]));
    };
    expect(await planned([...NAMES, "ticket-*", "case-*"])).toEqual({ refusals: { [D]: null } });
    expect(await planned([...NAMES, "case-*"])).toEqual({ refusals: { [D]: UNCOUNTABLE } });
    expect(await planned(NAMES)).toEqual({ refusals: { [D]: UNCOUNTABLE } });
    const { key_id, patterns } = await desk.prepare([...NAMES, "ticket-*"]);
    const other = {
      domain: D,
      expect: 1,
      key_id,
      canonicaliser: 1,
      accepted: 10,
      names: { gone: "", back: "" },
    };
    expect(refused(await desk.plan([{ ...other, patterns: patterns as string }]))).toMatchObject({
      message: expect.stringContaining("made under canonicaliser 1, the edge has 3 for it"),
    });
  });
});

describe("a pattern that left", () => {
  it("is deferred for the grace, whatever is committed meanwhile", async () => {
    await desk.publish([...NAMES, "ticket-*", "case-*"]);
    const until = graceEnds();
    await desk.publish([...NAMES, "case-*"], { force: true });
    expect(await deferredUntil("ticket-*")).toBe(until);
    expect(await deferredUntil("case-*")).toBe(0);
    expect((await desk.head())?.patterns?.departedUntil).toBe(until);
    await desk.world.clock.advance(MINUTE);
    await desk.publish([...NAMES, "alice", "case-*"]);
    expect(await deferredUntil("ticket-*")).toBe(until);
    expect((await desk.head())?.patterns?.departedUntil).toBe(until);
  });

  it("keeps the canonicaliser of patterns until a day after its grace, although no pattern is listed", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    await desk.publish(NAMES, { force: true });
    expect(await desk.head()).toMatchObject({ canonicaliser: 3, patterns: { table: null } });
    // The same list again changes nothing.
    expect(await desk.publish(NAMES)).toBe(2);
    await desk.world.clock.advance(3_604_000);
    expect(await desk.publish(NAMES)).toBe(2);
    await desk.publish([...NAMES, "bob"]);
    expect(await desk.head()).toMatchObject({ canonicaliser: 3, patterns: { table: null } });
    await desk.world.clock.advance(DAY);
    await desk.publish([...NAMES, "alice"]);
    expect(await desk.head()).toMatchObject({ canonicaliser: 1, patterns: null });
    expect(await deferredUntil("ticket-*")).toBe(0);
  });

  it("and returns is deferred no more", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    await desk.publish(NAMES, { force: true });
    await desk.publish([...NAMES, "ticket-*"]);
    expect(await deferredUntil("ticket-*")).toBe(0);
    expect(await stateOf("ticket-*")).toBe(0);
  });

  it("gets no grace if the policy has none, or names cannot be compared", async () => {
    await desk.publish([...NAMES, "ticket-*"], { policy: { grace: 0 } });
    await desk.publish(NAMES, { force: true });
    expect(await desk.head()).toMatchObject({ canonicaliser: 1, patterns: null });
    await desk.publish([...NAMES, "ticket-*"], { policy: { grace: 3_600 } });
    await desk.publish(NAMES, { force: true, epoch: 2 });
    expect(await desk.head()).toMatchObject({ canonicaliser: 1, patterns: null, epoch: 2 });
  });

  it("leaves with a rollback, and comes back with one", async () => {
    await desk.publish(NAMES);
    await desk.publish([...NAMES, "ticket-*"]);
    accepted(await desk.rollback({ to: 1, expect: 2 }));
    expect(await stateOf("ticket-*")).toBe(-1);
    expect(await deferredUntil("ticket-*")).toBe(graceEnds());
    accepted(await desk.rollback({ to: 2, expect: 3 }));
    expect(await stateOf("ticket-*")).toBe(0);
    expect(await desk.head()).toMatchObject({ canonicaliser: 3 });
  });

  it("is gone with a deletion", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    await desk.remove();
    expect(await desk.head()).toMatchObject({ canonicaliser: 1, patterns: null });
    await desk.world.clock.advance(DAY);
  });
});

describe("single changes of a list with patterns", () => {
  it("leave the patterns as they are", async () => {
    await desk.publish([...NAMES, "ticket-*"]);
    const key = desk.world.keyFor(D, 1);
    const changes = {
      domain: D,
      keyId: key.id,
      canonicaliser: 1,
      sentinels: sentinels(key.names, DEFAULT_POLICY),
      changes: [[fingerprint(key.names, "alice").slice(0, 10), 0] as const],
      force: false,
      atOnce: false,
      idempotency: null,
    };
    const { result } = accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
    expect(result).toMatchObject({ generation: 2, added: 1 });
    expect(await stateOf("ticket-*")).toBe(0);
    expect(await desk.head()).toMatchObject({ counts: { active: 11 }, canonicaliser: 3 });
  });
});

it("the bytes of a table are those that the head shows", async () => {
  const commit = await desk.prepare([...NAMES, "ticket-*"]);
  await desk.commit([commit]);
  expect((await desk.head())?.patterns?.table).toEqual(fromBase64Url(commit.patterns as string));
});
