import { beforeEach, describe, expect, it } from "vitest";
import {
  decodePatched,
  encodeKept,
  fingerprint,
  fingerprintIn,
  toBase64Url,
  toHex,
} from "../../../src/directory/index.ts";
import { MAX_JOURNAL } from "../../../src/registry/changes/journal.ts";
import type { PatchedNames } from "../../../src/registry/protocol.ts";
import { people } from "../../../testing/lists.ts";
import { DAY, HOUR } from "../../../testing/units.ts";
import type { PublishOptions } from "../../../testing/world.ts";
import { accepted, D, Desk, refused } from "../support.ts";

const GONE = -1;
const ACTIVE = 0;
const DISABLED = 1;

let desk: Desk;
beforeEach(async () => {
  desk = await new Desk().open();
});

const sql = (text: string) => desk.world.registry().sql(text);
const count = (table: string): number => sql(`SELECT count(*) AS n FROM ${table}`)[0]?.n as number;

/** Changes single mailboxes. @returns the generation that has the changes */
async function patch(names: Record<string, number>, atOnce = false): Promise<number> {
  const changes = await desk.changes(names, { atOnce, force: true });
  return accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null))).result.generation;
}
const removeNow = (name: string): Promise<number> => patch({ [name]: GONE }, true);

const printOf = (name: string) => fingerprintIn(fingerprint(desk.world.keyFor(D).names, name));
const NAMES = [...people(20), "new", "other"];

/** What is open: state before and now, by name; `!` behind those that were refused with --now. */
async function open(): Promise<Record<string, string>> {
  const { names, atOnce } = accepted(await desk.core.patched(D)) as PatchedNames;
  const nameOf = new Map(NAMES.map((name) => [toHex(printOf(name)), name]));
  return Object.fromEntries(
    decodePatched(names, atOnce).map((it) => [
      nameOf.get(toHex(it.fingerprint)),
      `${it.was} ${it.state}${it.atOnce ? "!" : ""}`,
    ]),
  );
}

/** Publishes a list, which keeps single changes of these names; by name the state that its publisher gives them. */
async function publish(
  list: readonly string[],
  kept: Record<string, number> = {},
  options: PublishOptions = {},
): Promise<number> {
  const commit = await desk.prepare(list, options);
  const names = Object.entries(kept).map(([name, listed]) => ({ fingerprint: printOf(name), listed }));
  const patched_kept = toBase64Url(encodeKept(names));
  const { generations } = await desk.commit([{ ...commit, patched_kept }], { force: true });
  return generations[D] as number;
}

async function rollback(to: number, patched?: "keep" | "drop"): Promise<number> {
  const expected = (await desk.head())?.generation as number;
  const request = { to, expect: expected, ...(patched === undefined ? {} : { patched }) };
  return accepted(await desk.rollback(request)).result.generation;
}

const counts = async () => (await desk.head())?.counts;

describe("a rollback", () => {
  it("opens again what was open in that generation, and nothing else", async () => {
    await publish(people(10));
    await patch({ new: ACTIVE });
    const then = await patch({ u1: GONE });
    await patch({ other: ACTIVE, u2: GONE });
    await publish(people(3));
    expect(await open()).toEqual({});
    await rollback(then);
    expect(await open()).toEqual({ new: "-1 0", u1: "0 -1" });
    expect(await counts()).toMatchObject({ active: 10 });
  });

  it("opens nothing that was settled by then, and all that was settled later", async () => {
    await publish(people(10));
    const changed = await patch({ new: ACTIVE });
    const settled = await publish([...people(10), "new"]);
    expect(settled).toBe(changed);
    await publish(people(3));
    await rollback(changed);
    // Without a generation of its own the publish was the last word on it.
    expect(await open()).toEqual({});
    const later = await patch({ u1: GONE });
    await publish([...people(9, 2), "new", "u1"], {});
    await rollback(later);
    expect(await open()).toEqual({ u1: "0 -1" });
  });

  it("knows how a name was listed then, if a publish kept it as another one had it", async () => {
    await publish(people(10));
    const then = await patch({ new: ACTIVE });
    await publish(["new", ...people(9)], { new: DISABLED });
    expect(await open()).toEqual({ new: "1 0" });
    await rollback(then);
    expect(await open()).toEqual({ new: "-1 0" });
  });

  it("knows a name that was changed twice, or back, as it was then", async () => {
    await publish(people(10));
    const first = await patch({ u1: DISABLED });
    const second = await patch({ u1: GONE });
    const third = await patch({ u1: ACTIVE });
    for (const [to, expected] of [
      [second, { u1: "0 -1" }],
      [first, { u1: "0 1" }],
      [third, {}],
      [second, { u1: "0 -1" }],
    ] as const) {
      await rollback(to);
      expect(await open()).toEqual(expected);
    }
  });

  it("removes again who was removed with --now since, whether a list has settled it or not", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await publish(people(8, 2));
    await removeNow("u2");
    await patch({ u3: GONE });
    await rollback(first);
    expect(await open()).toEqual({ u1: "0 -1!", u2: "0 -1!" });
    expect(sql("SELECT 1 FROM settled_names WHERE holds = 1")).toEqual([]);
    expect(await counts()).toMatchObject({ active: 8 });
    expect(sql(`SELECT note FROM generations WHERE action = 'rollback'`)).toEqual([
      { note: `to generation ${first}; removals made again: 2` },
    ]);
  });

  it("does not, if a person says so", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await rollback(first, "drop");
    expect(await open()).toEqual({});
    expect(await counts()).toMatchObject({ active: 10 });
    // Nor does the next one: who is accepted is not removed.
    await publish(people(10, 1));
    await rollback(first);
    expect(await counts()).toMatchObject({ active: 10 });
  });

  it("accepts who was hired again since: a later list or a person accepted the name", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await publish([...people(8, 2), "u0"]);
    const hired = await publish(people(10));
    expect(hired).toBeGreaterThan(first);
    await publish(people(5, 5));
    await removeNow("u6");
    await patch({ u6: ACTIVE });
    await removeNow("u7");
    await patch({ u7: DISABLED });
    await rollback(first);
    // What a person said of u7 since refuses it, too.
    expect(await open()).toEqual({ u7: "0 1!" });
    expect(await counts()).toMatchObject({ active: 9, disabled: 1 });
  });

  it.each<[string, PublishOptions, PublishOptions]>([
    ["of many shards", { bits: 1 }, { bits: 1 }],
    ["of more shards than the one before", { bits: 1 }, { bits: 2 }],
    ["of one shard", { bits: 0 }, { bits: 0 }],
  ])("accepts who was hired again by a list %s", async (_, many, more) => {
    const first = await publish(people(2_000), {}, many);
    await removeNow("u1");
    await publish(people(1_998, 2), {}, many);
    await publish(people(2_000), {}, more);
    await publish(people(1_900, 100), {}, many);
    await rollback(first);
    expect([await open(), await counts()]).toMatchObject([{}, { active: 2_000 }]);
    expect(await open()).toEqual({});
  });

  it("accepts who was hired again by a large list behind a small one, or behind a deletion", async () => {
    const first = await publish(people(2_000));
    await removeNow("u1");
    await publish(people(10, 2));
    await publish(people(2_000));
    await removeNow("u2");
    await publish(people(1_990, 10));
    await desk.remove();
    await publish(people(2_000));
    await publish(people(1_990, 10));
    await rollback(first);
    expect(await open()).toEqual({});
  });

  it("removes again who was not in the list any more when it was removed with --now", async () => {
    const first = await publish(people(10));
    await publish(people(9, 1));
    await desk.world.clock.advance(2 * HOUR);
    const head = (await desk.head())?.generation;
    expect(await removeNow("u0")).toBe(head);
    expect(await open()).toEqual({ u0: "-1 -1!" });
    await rollback(first);
    expect(await open()).toEqual({ u0: "0 -1!" });
    expect(await counts()).toMatchObject({ active: 9 });
  });

  it("across another key needs a decision, and says how many names it concerns", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await publish(people(9, 1), {}, { epoch: 2 });
    await removeNow("u2");
    const expected = (await desk.head())?.generation as number;
    const error = refused(await desk.rollback({ to: first, expect: expected }));
    expect(error).toMatchObject({ code: "patched_names", domain: D });
    expect(error.message).toContain("2 names were removed with --now");
    await rollback(first, "drop");
    expect(await counts()).toMatchObject({ active: 10 });
  });

  it("opens again what was open then across another key, case or dots", async () => {
    await publish(people(10));
    const then = await patch({ new: ACTIVE, u1: GONE });
    await publish(people(9, 1), {}, { policy: { case: "sensitive" } });
    await rollback(then);
    expect(await open()).toEqual({ new: "-1 0", u1: "0 -1" });
  });

  it("to an alias removes nobody, and what was removed since still counts against an older list", async () => {
    await desk.publish(people(3), { domain: "target.example" });
    const first = await publish(people(10));
    const alias = await publish([], {}, { policy: { alias: "target.example" } });
    await publish(people(10), {}, { policy: { alias: null } });
    await removeNow("u1");
    await rollback(alias);
    expect(await open()).toEqual({});
    await rollback(first);
    expect(await open()).toEqual({ u1: "0 -1!" });
  });

  it("applies to a list that was damaged, and needs nothing of it", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    const damaged = await publish(people(9, 2));
    sql("UPDATE generations SET manifest = zeroblob(200) WHERE superseded IS NULL");
    accepted(await desk.rollback({ to: first, expect: damaged }));
    expect(await open()).toEqual({ u1: "0 -1!" });
  });
});

describe("a removal with --now", () => {
  it("stays open until a list without the name was published", async () => {
    await publish(people(10));
    await removeNow("u1");
    expect(
      refused(await desk.core.commit({ domains: [await desk.prepare(people(10))] }, "t", null)),
    ).toMatchObject({ code: "patched_names" });
    await publish([...people(8, 2), "u0"], { u1: ACTIVE });
    expect(await open()).toEqual({ u1: "0 -1!" });
    await publish([...people(8, 2), "u0"]);
    expect(await open()).toEqual({});
    // From now on a list that has the name hires it again.
    expect(await publish(people(10))).toBeGreaterThan(0);
    expect(await counts()).toMatchObject({ active: 10 });
  });

  it("holds against a list that is published after a deletion, in which no other change is left", async () => {
    await publish(people(10));
    await patch({ new: ACTIVE });
    await removeNow("u1");
    const then = (await desk.head())?.generation as number;
    await desk.remove();
    expect(await open()).toEqual({ u1: "0 -1!" });
    const undecided = await desk.core.commit({ domains: [await desk.prepare(people(10))] }, "t", null);
    expect(refused(undecided)).toMatchObject({ code: "patched_names" });
    await publish(["u0", ...people(8, 2)], { u1: ACTIVE });
    expect(await open()).toEqual({ u1: "0 -1!" });
    await rollback(then);
    expect(await open()).toEqual({ u1: "0 -1!", new: "-1 0" });
  });

  it("holds after a state that refuses, and not after one that accepts", async () => {
    await publish(people(10));
    await removeNow("u1");
    await patch({ u1: DISABLED });
    expect(await open()).toEqual({ u1: "0 1!" });
    await patch({ u1: 2 });
    expect(await open()).toEqual({ u1: "0 2" });
  });

  it.each([
    ["one by one", 1],
    ["in one batch", 2],
  ])("does not hold after a state that accepts and another one, %s", async (_, together) => {
    for (const states of [
      [ACTIVE, GONE],
      [ACTIVE, DISABLED],
    ]) {
      await publish(people(10));
      await patch({ u1: DISABLED }, true);
      const all = await Promise.all(states.map((state) => desk.changes({ u1: state })));
      for (let i = 0; i < all.length; i += together) {
        const batch = all.slice(i, i + together).map((each) => desk.core.patch(each, "tester", null));
        (await desk.world.clock.run(Promise.all(batch))).forEach(accepted);
      }
      expect(await open()).toEqual({ u1: `0 ${states.at(-1)}` });
    }
  });

  it("holds in a log that continues after its storage was restored", async () => {
    const first = await publish(people(10));
    await patch({ new: ACTIVE });
    await removeNow("u1");
    const { incarnation } = accepted(await desk.core.status());
    Object.assign(desk.world.settings, { paused: true });
    accepted(await desk.world.clock.run(desk.core.restored(incarnation as number, "tester")));
    expect(await open()).toEqual({ u1: "0 -1!", new: "-1 0" });
    await rollback(first);
    expect(await open()).toEqual({ u1: "0 -1!" });
  });
});

describe("the journal", () => {
  it("is kept as long as history", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await patch({ new: ACTIVE });
    await publish(people(8, 2));
    expect(count("settled_names")).toBe(2);
    await desk.world.clock.advance(29 * DAY);
    expect(count("settled_names")).toBe(2);
    expect((await desk.rollback({ to: first, expect: 0 })).ok).toBe(false);
    await desk.world.clock.advance(2 * DAY);
    expect(count("settled_names")).toBe(0);
  });

  it("keeps what is open, however old, and nothing of a domain that is no more", async () => {
    await publish(people(10));
    await removeNow("u1");
    await patch({ new: ACTIVE });
    await desk.world.clock.advance(40 * DAY);
    expect(await open()).toEqual({ new: "-1 0", u1: "0 -1!" });
    await desk.remove();
    await desk.world.clock.advance(40 * DAY);
    for (const table of ["patched_names", "settled_names", "forgotten_names"]) expect(count(table)).toBe(0);
  });

  it("forgets its oldest rows past a bound; a rollback to a generation that had them needs a decision", async () => {
    const first = await publish(people(10));
    await patch({ u1: DISABLED });
    await patch({ u1: GONE });
    const third = await patch({ u1: 2 });
    sql(`UPDATE settled_names SET seq = seq + ${MAX_JOURNAL - 1} WHERE seq > 1`);
    expect(count("settled_names")).toBe(2);
    await patch({ u1: ACTIVE });
    expect(sql("SELECT ended FROM forgotten_names")).toEqual([{ ended: 3 }]);
    const expected = (await desk.head())?.generation as number;
    expect(refused(await desk.rollback({ to: first, expect: expected }))).toMatchObject({
      code: "patched_names",
    });
    await rollback(third);
    expect(await open()).toEqual({ u1: "0 2" });
    await rollback(first, "drop");
    expect(await open()).toEqual({});
    await desk.world.clock.advance(40 * DAY);
    expect(count("forgotten_names")).toBe(0);
  });

  it("says that a publish of which nothing is known keeps none behind a deletion", async () => {
    await publish(people(10));
    await removeNow("u1");
    await desk.remove();
    const names = ["u1", "u5"].map((name) => ({ fingerprint: printOf(name), listed: ACTIVE }));
    const commit = {
      ...(await desk.prepare(["u0", ...people(8, 2)])),
      patched_kept: toBase64Url(encodeKept(names)),
    };
    expect(await desk.refusal([commit])).toMatchObject({ code: "bad_request", domain: D });
  });

  it("has one row of a removal that a publish keeps, whatever its list says of the name", async () => {
    const first = await publish(people(10));
    await removeNow("u1");
    await publish(people(9, 1), { u1: DISABLED });
    expect(await open()).toEqual({ u1: "1 -1!" });
    expect(sql("SELECT 1 FROM settled_names WHERE holds = 1")).toEqual([]);
    expect(accepted(await desk.core.planRollback(D, first, null))).toMatchObject({ refused_again: 1 });
  });

  it("has no row of what is said again, or of what a rollback leaves open", async () => {
    await publish(people(10));
    await removeNow("u1");
    await patch({ u1: GONE, u2: GONE }, true);
    const then = await patch({ new: ACTIVE });
    expect(count("settled_names")).toBe(0);
    await patch({ other: ACTIVE });
    await rollback(then);
    expect(sql("SELECT DISTINCT state FROM settled_names WHERE state = 0")).toHaveLength(1);
    expect(sql("SELECT number FROM patched_names WHERE state = 0")).toEqual([{ number: then }]);
  });

  it("costs a change one row at most", async () => {
    await publish(people(10));
    const rows = () => count("patched_names") + count("settled_names");
    await patch({ u1: DISABLED });
    expect(rows()).toBe(1);
    await patch({ u1: GONE });
    expect(rows()).toBe(2);
    await patch({ u1: ACTIVE });
    expect(rows()).toBe(2);
  });
});
