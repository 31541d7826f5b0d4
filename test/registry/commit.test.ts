/* Commits, rollbacks and deletions, as the Registry alone makes them. */
import { beforeEach, describe, expect, it } from "vitest";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const OTHER = "other.example";
const WHOLE = { after: null, limit: 100 };

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const meta = (name: string): unknown =>
  desk.world.registry().sql("SELECT value FROM meta WHERE name = ?", name)[0]?.value;

describe("a commit", () => {
  it("of a list that is unchanged makes no generation", async () => {
    await desk.publish(["alice"]);
    const same = await desk.prepare(["alice"]);
    expect(await desk.commit([same])).toEqual({ generations: { [D]: 1 }, unchanged: [D] });
    expect(await desk.head()).toMatchObject({ generation: 1 });
    expect(await desk.publish(["alice", "bob"])).toBe(2);
  });

  it("of several domains makes one generation of those that change", async () => {
    await desk.publish(["alice"]);
    const same = await desk.prepare(["alice"]);
    const other = await desk.prepare(["bob"], { domain: OTHER });
    expect(await desk.commit([same, other])).toEqual({
      generations: { [D]: 1, [OTHER]: 2 },
      unchanged: [D],
    });
  });

  it.each([
    ["its mode", { mode: "observe" as const }],
    ["one setting", { policy: { grace: 60 } }],
    ["its text", { policy: { text: "ask the postmaster" } }],
  ])("that changes nothing but %s makes a generation", async (_, options) => {
    await desk.publish(["alice"]);
    expect(await desk.publish(["alice"], options)).toBe(2);
  });

  it("of the same list behind a deletion, or under a new key, makes a generation", async () => {
    await desk.publish([], { policy: { catchall: true } });
    expect(await desk.publish([], { epoch: 2, force: true })).toBe(2);
    await desk.remove();
    expect(await desk.publish([], { policy: { catchall: true } })).toBe(4);
  });

  it("is recorded with who made it, its counts, its override and its note", async () => {
    await desk.commit([await desk.prepare(["a", ["b", "disabled"], ["c", "full"], ["d", "moved"]])], {
      note: "first",
    });
    await desk.commit([await desk.prepare(["a"])], { force: true });
    expect(accepted(await desk.core.generations(D, WHOLE))).toMatchObject([
      { generation: 2, action: "commit", by: "tester", forced: true, note: null },
      { generation: 1, action: "commit", by: "tester", forced: false, note: "first" },
    ]);
    const trail = (await desk.trail()).filter(({ action }) => action === "commit");
    expect(trail.map(({ detail }) => detail)).toEqual([
      "generation 2: active 1, disabled 0, full 0, moved 0; override",
      "generation 1: active 1, disabled 1, full 1, moved 1; first",
    ]);
  });

  it("says which of its domains the guard refuses, and changes none of them", async () => {
    await desk.publish(people(10));
    await desk.publish(people(10), { domain: OTHER });
    await desk.publish(["alice"], { domain: "third.example" });
    const fewer = await desk.prepare(people(5));
    const third = await desk.prepare(["alice", "bob"], { domain: "third.example" });
    expect(await desk.refusal([fewer, third])).toEqual({
      code: "guard",
      message: `${D} would refuse 5 of 10 names (50.0 %), more than 20 %; force overrides`,
      refusals: { [D]: "would refuse 5 of 10 names (50.0 %), more than 20 %" },
    });
    const both = [fewer, await desk.prepare(people(4), { domain: OTHER }), third];
    expect(await desk.refusal(both)).toMatchObject({
      message: `${D} would refuse 5 of 10 names (50.0 %), more than 20 %, and 1 more; force overrides`,
      refusals: { [D]: expect.stringContaining("5 of 10"), [OTHER]: expect.stringContaining("6 of 10") },
    });
    expect(await desk.head("third.example")).toMatchObject({ generation: 3 });
  });

  it("of an alias that may be none is refused for that, whatever the guard says", async () => {
    await desk.publish(people(10));
    const alias = await desk.prepare([], { policy: { alias: OTHER } });
    expect(await desk.refusal([alias])).toMatchObject({ code: "bad_request", domain: D });
  });

  it("makes the roster due where another domain is served, and only there", async () => {
    await desk.publish(["alice"]);
    expect(meta("roster_due")).toBe(1);
    await desk.publish(["alice", "bob"]);
    expect(meta("roster_due")).toBe(1);
    await desk.remove();
    expect(meta("roster_due")).toBe(3);
    await desk.publish(["alice"]);
    expect(meta("roster_due")).toBe(4);
  });

  it("defers names that left for the longer grace of its own policy and the one before", async () => {
    await desk.publish(people(20), { policy: { grace: 60 } });
    await desk.publish(people(19), { policy: { grace: 0 } });
    expect((await desk.head())?.departures.count).toBe(1);
    await desk.publish(people(18));
    expect((await desk.head())?.departures.count).toBe(1);
    await desk.publish(people(17), { policy: { grace: 60 } });
    expect((await desk.head())?.departures.count).toBe(2);
  });

  it("refuses nobody for the grace where names were made under another key", async () => {
    await desk.publish(people(10));
    await desk.publish(people(5), { epoch: 2, force: true });
    const refusesFrom = desk.world.clock.now() + HOUR;
    expect(await desk.head()).toMatchObject({ departures: { count: 0 }, refusesFrom });
    // Later generations carry it.
    await desk.world.clock.advance(MINUTE);
    await desk.publish(people(6), { epoch: 2 });
    expect(await desk.head()).toMatchObject({ refusesFrom });
  });

  it("defers names that left with a deletion, since the list before it is still known", async () => {
    await desk.publish(people(10));
    await desk.remove();
    await desk.publish(people(9));
    expect((await desk.head())?.departures.count).toBe(1);
  });
});

describe("a rollback", () => {
  it("makes the content of an old generation the head, under a new number", async () => {
    await desk.publish(["alice"], { mode: "observe", policy: { grace: 60 } });
    await desk.publish(["alice", "bob"], { mode: "enforce", policy: { grace: 120 } });
    const old = (await desk.head())?.shards;
    expect(accepted(await desk.rollback({ to: 1, expect: 2 })).result).toEqual({ domain: D, generation: 3 });
    const head = await desk.head();
    expect(head).toMatchObject({
      generation: 3,
      mode: "observe",
      policy: { grace: 60 },
      counts: { active: 1 },
    });
    expect(head?.shards).not.toEqual(old);
    expect(accepted(await desk.core.generations(D, WHOLE))?.[0]).toMatchObject({
      action: "rollback",
      by: "tester",
      forced: true,
      note: "to generation 1",
    });
    accepted(await desk.rollback({ to: 2, expect: 3, note: "again" }));
    expect(accepted(await desk.core.generations(D, WHOLE))?.[0]).toMatchObject({ note: "again" });
  });

  it("overrides the guard, and the names that it refuses are no longer counted", async () => {
    await desk.publish(people(10));
    await desk.publish(people(20));
    accepted(await desk.rollback({ to: 1, expect: 2 }));
    expect(await desk.publish(people(8))).toBe(4);
    expect(await desk.refusal([await desk.prepare(people(7))])).toMatchObject({ code: "guard" });
  });

  it("works behind a deletion", async () => {
    await desk.publish(["alice"]);
    await desk.remove();
    accepted(await desk.rollback({ to: 1, expect: 2 }));
    expect(await desk.head()).toMatchObject({ generation: 3, deletedUntil: null });
  });

  it("is refused where there is nothing to go back to", async () => {
    expect(refused(await desk.rollback({ to: 1, expect: 1 }))).toEqual({
      code: "not_found",
      domain: D,
      message: `${D} has no generation`,
    });
    await desk.publish(["alice"]);
    await desk.remove();
    expect(refused(await desk.rollback({ to: 7, expect: 2 }))).toEqual({
      code: "not_found",
      domain: D,
      message: `${D} has no generation 7 in its history`,
    });
    expect(refused(await desk.rollback({ to: 1, expect: 1 }))).toMatchObject({ code: "conflict", head: 2 });
    expect(refused(await desk.rollback({ to: 2, expect: 2 }))).toEqual({
      code: "bad_request",
      domain: D,
      message: `generation 2 of ${D} is a deletion; use delete`,
    });
  });

  it("is refused where the shards of the generation are gone", async () => {
    await desk.publish(people(10), { bits: 1 });
    await desk.publish(people(11));
    desk.world.registry().sql("DELETE FROM blobs");
    expect(refused(await desk.rollback({ to: 1, expect: 2 }))).toEqual({
      code: "not_found",
      domain: D,
      message: "2 shards of generation 1 are no longer kept",
    });
  });

  it("is refused where the generation was an alias whose target is gone", async () => {
    await desk.publish(["alice"], { domain: OTHER });
    await desk.publish([], { policy: { alias: OTHER } });
    await desk.commit([await desk.prepare(["bob"], { policy: { alias: null } })], { force: true });
    await desk.remove(OTHER);
    expect(refused(await desk.rollback({ to: 2, expect: 3 }))).toEqual({
      code: "bad_request",
      domain: D,
      message: `${D}: is an alias of ${OTHER}, which is not served here`,
    });
  });
});

describe("a deletion", () => {
  it("leaves an empty tombstone that defers for a day", async () => {
    await desk.publish(people(3), { mode: "observe", policy: { catchall: true } });
    expect(await desk.remove()).toBe(2);
    expect(await desk.head()).toMatchObject({
      generation: 2,
      mode: "observe",
      policy: { catchall: true },
      counts: { active: 0, disabled: 0, full: 0, moved: 0 },
      deletedUntil: desk.world.clock.now() + DAY,
      departures: { count: 0 },
    });
    expect(accepted(await desk.core.generations(D, WHOLE))?.[0]).toMatchObject({
      action: "delete",
      by: "tester",
      forced: true,
      note: null,
    });
  });

  it("is refused where there is no list, twice, or against another head", async () => {
    const none = { code: "not_found", domain: D, message: `${D} has no list to delete` };
    expect(refused(await desk.core.remove(D, 0, "tester"))).toEqual(none);
    await desk.publish(["alice"]);
    expect(refused(await desk.core.remove(D, 7, "tester"))).toMatchObject({ code: "conflict", head: 1 });
    await desk.remove();
    expect(refused(await desk.core.remove(D, 2, "tester"))).toEqual(none);
  });
});

it("the time of a generation is when it was made", async () => {
  await desk.world.clock.advance(HOUR);
  await desk.publish(["alice"]);
  expect(await desk.head()).toMatchObject({ time: desk.world.clock.now(), domain: D });
});
