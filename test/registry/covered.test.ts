/* A name that is accepted without an entry, and that a new entry refuses, goes from accepted to refused. */
import { beforeEach, describe, expect, it } from "vitest";
import { ACTIVE, DISABLED } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { type List, people } from "../../testing/lists.ts";
import { HOUR, MINUTE, WINDOW } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const GRACE = { grace: 3600 };
const BASE: List = ["alice", "billing-*", ...people(100)];

let desk: Desk;
let isolate: IsolateHost;
beforeEach(async () => {
  desk = await new Desk().open();
  isolate = desk.world.isolate();
});

async function verdictOf(name: string): Promise<string> {
  await desk.world.clock.advance(WINDOW);
  return (await isolate.check(`${name}@${D}`)).verdict;
}
const disabled = (...names: string[]): List => [
  ...BASE,
  ...names.map((name): [string, "disabled"] => [name, "disabled"]),
];

describe("a list that disables names which the head accepts without an entry", () => {
  it.each(["alice+shop", "billing-north", "postmaster"])("defers %s for the grace", async (name) => {
    await desk.publish(BASE, { policy: GRACE });
    expect(await verdictOf(name)).toBe("deliverable");
    await desk.publish(disabled(name, "stranger", "stranger+tag"));
    expect(await verdictOf(name)).toBe("departed");
    // Nobody accepted these, so they are refused at once.
    expect([await verdictOf("stranger"), await verdictOf("stranger+tag")]).toEqual(["disabled", "disabled"]);
    await desk.world.clock.advance(HOUR + MINUTE);
    expect(await verdictOf(name)).toBe("disabled");
  });

  it("defers all of them if the publisher does not say which the head accepts", async () => {
    await desk.publish(BASE, { policy: GRACE });
    const { covered, ...commit } = await desk.prepare(disabled("alice+shop", "stranger"));
    expect(covered).toMatch(/^[\w-]{8}$/);
    await desk.commit([commit]);
    expect([await verdictOf("alice+shop"), await verdictOf("stranger")]).toEqual(["departed", "departed"]);
  });

  it("defers a name that its stem accepted, and that was deferred since the stem left", async () => {
    await desk.publish(BASE, { policy: GRACE });
    await desk.publish(BASE.filter((name) => name !== "alice"));
    expect(await verdictOf("alice+shop")).toBe("departed");
    // The stem comes back in the same list, so that it has left no more.
    await desk.publish(disabled("alice+shop"));
    expect([await verdictOf("alice"), await verdictOf("alice+shop")]).toEqual(["deliverable", "departed"]);
    await desk.world.clock.advance(HOUR + MINUTE);
    expect(await verdictOf("alice+shop")).toBe("disabled");
  });

  it("defers those under a pattern for as long as their stem, that left under a longer grace, and comes back", async () => {
    const stem: List = ["billing", ...people(100)];
    const pattern: List = [["billing-*", "disabled"]];
    await desk.publish(stem, { policy: { ...GRACE, delimiters: "-" } });
    expect(await verdictOf("billing-north")).toBe("deliverable");
    await desk.publish(people(100), { policy: { grace: 0, delimiters: "-" } });
    await desk.publish([...people(100), ...pattern], { force: true });
    expect(await verdictOf("billing-north")).toBe("departed");
    await desk.publish([...stem, ...pattern]);
    expect([await verdictOf("billing"), await verdictOf("billing-north")]).toEqual([
      "deliverable",
      "departed",
    ]);
    await desk.world.clock.advance(HOUR + MINUTE);
    expect(await verdictOf("billing-north")).toBe("disabled");
  });

  it("defers a name that a pattern accepted, and that was deferred since the pattern left the list as the only one", async () => {
    await desk.publish([...people(100), "ticket-*"], { policy: GRACE });
    await desk.publish(people(100), { policy: { grace: 0 }, force: true });
    const names: List = [...people(100), ["ticket-7", "disabled"]];
    await desk.publish(names);
    expect(await verdictOf("ticket-7")).toBe("departed");
    await desk.publish([...names, "ticket-*"]);
    expect([await verdictOf("ticket-8"), await verdictOf("ticket-7")]).toEqual(["deliverable", "departed"]);
    await desk.world.clock.advance(HOUR + MINUTE);
    expect(await verdictOf("ticket-7")).toBe("disabled");
  });

  it("defers them below a catch-all, whatever the publisher says", async () => {
    await desk.publish(BASE, { policy: { ...GRACE, catchall: true } });
    await desk.publish(disabled("trap"));
    expect(await verdictOf("trap")).toBe("departed");
    await desk.world.clock.advance(HOUR + MINUTE);
    expect([await verdictOf("trap"), await verdictOf("other")]).toEqual(["disabled", "deliverable"]);
  });

  it("counts them as names that go", async () => {
    await desk.publish(people(10));
    const tagged = people(10).map((name): [string, "disabled"] => [`${name}+tag`, "disabled"]);
    const commit = await desk.prepare([...people(10), ...tagged]);
    expect((await desk.refusal([commit])).refusals?.[D]).toContain("would refuse all 10 names");
  });

  it("needs the override for more than 50 in a day below a catch-all", async () => {
    const traps = (count: number): List => disabled(...Array.from({ length: count }, (_, i) => `trap${i}`));
    await desk.publish(BASE, { policy: { ...GRACE, catchall: true } });
    await desk.publish([...BASE, "newcomer"]);
    await desk.publish(traps(30));
    const more = await desk.prepare(traps(51));
    const words = "would refuse 51 names that the catch-all accepted within 24 h, more than 50";
    expect((await desk.refusal([more])).refusals?.[D]).toContain(words);
    // So does a ledger that is computed again.
    desk.world.registry().sql("DELETE FROM guard_ledgers");
    expect((await desk.refusal([more])).refusals?.[D]).toContain(words);
    await desk.publish(traps(50));
    await desk.world.clock.advance(25 * HOUR);
    await desk.publish(traps(100));
  });

  it("needs the override for more than 50 at once, whatever was published before", async () => {
    const traps = disabled(...Array.from({ length: 51 }, (_, i) => `trap${i}`));
    await desk.publish(BASE, { policy: { ...GRACE, catchall: true } });
    await desk.publish([...BASE, "newcomer"]);
    expect((await desk.refusal([await desk.prepare(traps)])).refusals?.[D]).toContain(
      "would refuse 51 names",
    );
  });

  it("counts those of a day alone, and not what the first list of the day refused", async () => {
    const traps = (count: number): List => disabled(...Array.from({ length: count }, (_, i) => `trap${i}`));
    const { clock } = desk.world;
    await desk.publish(BASE, { policy: { ...GRACE, catchall: true } });
    await clock.advance(HOUR);
    await desk.publish(traps(50));
    await clock.advance(23 * HOUR);
    await desk.publish([...traps(50), "newcomer"]);
    expect((await desk.refusal([await desk.prepare(traps(51))])).refusals?.[D]).toContain("51 names");
    await clock.advance(HOUR + MINUTE);
    await desk.publish(traps(100));
  });

  it("names none of them behind a deletion, whose grace is for everybody", async () => {
    await desk.publish(BASE, { policy: { ...GRACE, catchall: true } });
    await desk.remove();
    await desk.publish(disabled("trap"));
    expect((await desk.head())?.departures.count).toBe(0);
    expect(await verdictOf("trap")).toBe("departed");
  });

  it("is read whole: what it says of the head is bytes of tails, or a bad request", async () => {
    await desk.publish(BASE);
    const commit = await desk.prepare(disabled("alice+shop"));
    for (const covered of ["x", "AAAA", "AAAAAAAAAAA"])
      expect((await desk.refusal([{ ...commit, covered }])).code, covered).toBe("bad_request");
  });
});

describe("a single change that disables a name which the head accepts without an entry", () => {
  const change = async (states: Record<string, number>, more: Parameters<Desk["changes"]>[1] = {}) =>
    desk.world.clock.run(desk.core.patch(await desk.changes(states, more), "tester", null));
  const disable = (name: string, more: Parameters<Desk["changes"]>[1] = {}) =>
    change({ [name]: DISABLED }, more);

  it.each(["alice+shop", "billing-north", "postmaster"])("defers %s for the grace", async (name) => {
    await desk.publish(BASE, { policy: GRACE });
    accepted(await disable(name));
    accepted(await disable("stranger"));
    expect([await verdictOf(name), await verdictOf("stranger")]).toEqual(["departed", "disabled"]);
    await desk.world.clock.advance(HOUR + MINUTE);
    expect(await verdictOf(name)).toBe("disabled");
  });

  it("defers it for as long as its stem, that left under a longer grace, and comes back", async () => {
    await desk.publish(BASE, { policy: GRACE });
    await desk.publish(
      BASE.filter((name) => name !== "alice"),
      { policy: { grace: 0 } },
    );
    expect(await verdictOf("alice+shop")).toBe("departed");
    accepted(await disable("alice+shop"));
    accepted(await change({ alice: ACTIVE }));
    expect([await verdictOf("alice"), await verdictOf("alice+shop")]).toEqual(["deliverable", "departed"]);
    await desk.world.clock.advance(HOUR);
    expect(await verdictOf("alice+shop")).toBe("disabled");
  });

  it("defers it for as long as a pattern that left the list as the only one, and comes back", async () => {
    await desk.publish([...people(100), "ticket-*"], { policy: GRACE });
    await desk.publish(people(100), { policy: { grace: 0 }, force: true });
    accepted(await disable("ticket-7"));
    await desk.commit([
      { ...(await desk.prepare([...people(100), ["ticket-7", "disabled"], "ticket-*"])), patched_kept: "" },
    ]);
    expect([await verdictOf("ticket-8"), await verdictOf("ticket-7")]).toEqual(["deliverable", "departed"]);
    await desk.world.clock.advance(HOUR);
    expect(await verdictOf("ticket-7")).toBe("disabled");
  });

  it("refuses it at once with --now", async () => {
    await desk.publish(BASE, { policy: GRACE });
    accepted(await disable("alice+shop", { atOnce: true }));
    expect(await verdictOf("alice+shop")).toBe("disabled");
  });

  it("defers it if the edge does not say how it may be accepted", async () => {
    await desk.publish(BASE, { policy: GRACE });
    const { otherwise: _, ...changes } = await desk.changes({ stranger: DISABLED });
    accepted(await desk.world.clock.run(desk.core.patch(changes, "tester", null)));
    expect(await verdictOf("stranger")).toBe("departed");
  });

  it("counts as a name that goes", async () => {
    await desk.publish(["alice"]);
    const error = refused(await disable("alice+shop"));
    expect(error.code).toBe("guard");
    expect(await verdictOf("alice+shop")).toBe("deliverable");
  });
});
