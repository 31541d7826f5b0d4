/* The mode changed without the list: a person's word, which nothing but another such word makes stricter. */
import { beforeEach, describe, expect, it } from "vitest";
import type { ModeRequest } from "../../src/api/index.ts";
import { people } from "../../testing/lists.ts";
import { HOUR, MINUTE, WINDOW } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const set = async (request: ModeRequest): Promise<number> =>
  accepted(await desk.core.setMode(D, request, "tester", null)).result.generation;
const modeNow = async (): Promise<string | undefined> => (await desk.head())?.mode;
const history = async () => accepted(await desk.core.generations(D, { after: null, limit: 99 })) ?? [];

describe("a change of mode", () => {
  it("makes a generation of the same list, with who did it and why in history and audit trail", async () => {
    const before = await desk.publish(people(40));
    const { shards, counts, policy, departures } = (await desk.head()) ?? expect.fail("no head");
    const generation = await set({ mode: "observe", note: "panic" });
    expect(generation).toBeGreaterThan(before);
    expect(await desk.head()).toMatchObject({
      generation,
      mode: "observe",
      shards,
      counts,
      policy,
      departures,
    });
    expect((await history())[0]).toMatchObject({
      action: "mode",
      by: "tester",
      forced: false,
      note: "enforce to observe: panic",
    });
    const lines = await desk.trail();
    expect(lines.find(({ action }) => action === "mode")).toMatchObject({ by: "tester", subject: D });
  });

  it("is known to every isolate within one window", async () => {
    await desk.publish(people(40));
    const isolate = desk.world.isolate();
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ action: "reject" });
    await set({ mode: "observe" });
    await desk.world.clock.advance(WINDOW);
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ action: "accept", verdict: "unknown" });
  });

  it("keeps names that left deferred, and held ones held", async () => {
    const list = people(40);
    await desk.publish(list);
    await desk.publish(list.slice(1));
    await set({ mode: "observe" });
    await set({ mode: "enforce" });
    await desk.world.clock.advance(WINDOW);
    expect(await desk.world.isolate().check(`u0@${D}`)).toMatchObject({ verdict: "departed" });
  });

  it("keeps single changes that no publish settled", async () => {
    await desk.publish(people(40));
    await set({ mode: "observe" });
    const patched = accepted(await desk.core.patched(D));
    expect(patched?.generation).toBe((await desk.head())?.generation);
  });

  it("to the present mode makes no generation", async () => {
    const before = await desk.publish(people(4), { mode: "defer" });
    expect(await set({ mode: "defer" })).toBe(before);
    expect(await history()).toHaveLength(1);
  });

  it("applies to any head, unless it names the one that it was decided for", async () => {
    const first = await desk.publish(people(40));
    await desk.publish(people(41));
    await set({ mode: "observe" });
    const late = await desk.core.setMode(D, { mode: "enforce", expect: first }, "tester", null);
    expect(refused(late)).toMatchObject({ code: "conflict" });
    expect(await modeNow()).toBe("observe");
  });

  it("needs a list", async () => {
    expect(refused(await desk.core.setMode(D, { mode: "observe" }, "tester", null))).toMatchObject({
      code: "not_found",
    });
    await desk.publish(people(4));
    await desk.remove();
    expect(refused(await desk.core.setMode(D, { mode: "observe" }, "tester", null))).toMatchObject({
      code: "not_found",
    });
  });
});

describe("a rollback", () => {
  it("does not return to a mode that refuses more than the present one", async () => {
    const strict = await desk.publish(people(40));
    const observed = await set({ mode: "observe" });
    accepted(await desk.rollback({ to: strict, expect: observed }));
    expect(await modeNow()).toBe("observe");
  });

  it("returns to one that refuses less", async () => {
    const mild = await desk.publish(people(40), { mode: "observe" });
    const strict = await set({ mode: "enforce" });
    accepted(await desk.rollback({ to: mild, expect: strict }));
    expect(await modeNow()).toBe("observe");
  });

  it("after a deletion keeps the mode that the list had", async () => {
    const strict = await desk.publish(people(40));
    await set({ mode: "observe" });
    const gone = await desk.remove();
    await desk.world.clock.advance(HOUR + MINUTE);
    accepted(await desk.rollback({ to: strict, expect: gone }));
    expect(await modeNow()).toBe("observe");
  });
});
