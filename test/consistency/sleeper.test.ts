import { describe, expect, it } from "vitest";
import type { QuestionAnswer } from "../../src/api/index.ts";
import { LogView } from "../../src/reader/log-view.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";
const OTHER = "other.example";

describe("an isolate that was idle while a domain was deleted and pruned", () => {
  it.each([
    ["another domain", [`nobody@${OTHER}`]],
    ["that domain", []],
    ["a domain that nobody serves", ["x@stranger.example"]],
  ])("calls it not served if the first check is about %s", async (_, before) => {
    const world = new World({ history: DAY });
    const publisher = world.isolate("publisher");
    await world.publish(publisher, D, ["alice"]);
    await world.publish(publisher, OTHER, ["alice"]);
    const sleeper = world.isolate("sleeper");
    for (const recipient of [`alice@${D}`, `nobody@${D}`, `alice@${OTHER}`]) await sleeper.check(recipient);
    await sleeper.idle();
    await world.remove(publisher, D);
    await world.clock.advance(3 * DAY);
    expect(world.headOf(D)).toBeNull();
    for (const recipient of before) {
      await sleeper.check(recipient);
      await sleeper.idle();
    }
    const cold = world.isolate("cold");
    for (let times = 0; times < 4; times++) {
      for (const recipient of [`alice@${D}`, `nobody@${D}`]) {
        const expected = { verdict: "not-served", action: "reject" };
        expect(await cold.check(recipient)).toMatchObject(expected);
        expect(await sleeper.check(recipient)).toMatchObject(expected);
      }
      await cold.idle();
      await sleeper.idle();
      await world.clock.advance(times === 0 ? SECOND : HOUR);
    }
    expect(await sleeper.check(`alice@${OTHER}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("serves it again if it was published again", async () => {
    const world = new World({ history: DAY });
    const publisher = world.isolate("publisher");
    await world.publish(publisher, D, ["alice"]);
    await world.publish(publisher, OTHER, ["alice"]);
    const sleeper = world.isolate("sleeper");
    await sleeper.check(`alice@${D}`);
    await sleeper.check(`nobody@${OTHER}`);
    await sleeper.idle();
    await world.remove(publisher, D);
    await world.clock.advance(3 * DAY);
    await world.publish(publisher, D, ["bob"], { expect: null });
    await world.clock.advance(MINUTE);
    await sleeper.check(`nobody@${OTHER}`);
    expect(await sleeper.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable" });
    expect(await sleeper.check(`alice@${D}`)).toMatchObject({ verdict: "unknown" });
  });
});

describe("a list in memory that the Registry has pruned", () => {
  /** `sleeper` has answered from D, which is deleted and pruned while it is idle. */
  async function begun(alias?: string) {
    const world = new World({ history: DAY });
    const publisher = world.isolate("publisher");
    await world.publish(publisher, D, ["alice"]);
    await world.publish(publisher, OTHER, ["carol"]);
    if (alias !== undefined) await world.publish(publisher, alias, [], { policy: { alias: D } });
    const sleeper = world.isolate("sleeper");
    for (const domain of [D, OTHER, alias ?? D]) await sleeper.check(`alice@${domain}`);
    await sleeper.idle();
    await sleeper.check(`nobody@${OTHER}`);
    const elsewhere = { policy: { alias: OTHER }, force: true };
    if (alias !== undefined) await world.publish(publisher, alias, [], elsewhere);
    await world.remove(publisher, D);
    await world.clock.advance(3 * DAY);
    expect(world.headOf(D)).toBeNull();
    return { world, sleeper };
  }

  it("is no longer used by an alias that got another target before", async () => {
    const { world, sleeper } = await begun("alias.example");
    await sleeper.check(`nobody@${OTHER}`);
    for (const isolate of [sleeper, world.isolate("cold")]) {
      expect(await isolate.check("carol@alias.example")).toMatchObject({ verdict: "deliverable" });
      expect(await isolate.check("alice@alias.example")).toMatchObject({ verdict: "unknown" });
    }
  });
});

describe("an answer that lists everything", () => {
  const told = (
    asOf: number,
    heads: readonly (readonly [string, number])[],
    changes: Partial<QuestionAnswer> = {},
  ): QuestionAnswer => ({
    incarnation: 1,
    asOf,
    full: true,
    heads,
    revoked: [],
    wanted: null,
    ...changes,
  });
  const since = (number: number) => ({ incarnation: 1, number });

  /** It knows both domains, as of 9. */
  function begun(): LogView {
    const confirmation = new LogView(0, WINDOW);
    confirmation.apply(
      told(9, [
        [D, 5],
        [OTHER, 9],
      ]),
      0,
      null,
    );
    return confirmation;
  }

  it("replaces what it does not list", () => {
    const confirmation = begun();
    confirmation.apply(told(12, [[OTHER, 12]]), SECOND, since(9));
    expect(confirmation.head(D)).toBeUndefined();
    expect(confirmation.head(OTHER)).toBe(12);
  });

  it("replaces nothing if it lists only what changed", () => {
    const confirmation = begun();
    confirmation.apply(told(12, [[OTHER, 12]], { full: false }), SECOND, since(9));
    expect(confirmation.head(D)).toBe(5);
  });

  it("replaces nothing if it is older than what is known", () => {
    const confirmation = begun();
    confirmation.apply(told(12, [[D, 11]], { full: false }), 2 * SECOND, since(9));
    confirmation.apply(told(10, [[OTHER, 9]]), SECOND, null);
    expect(confirmation.head(D)).toBe(11);
    expect(confirmation.position).toEqual(since(12));
  });

  it("replaces nothing if it is older than a change that went through the isolate", () => {
    const confirmation = begun();
    confirmation.noteChange(since(14), { "new.example": 14 });
    confirmation.apply(told(12, [[OTHER, 12]]), SECOND, since(9));
    expect(confirmation.head("new.example")).toBe(14);
    expect(confirmation.head(D)).toBe(5);
    confirmation.apply(
      told(15, [
        [OTHER, 12],
        ["new.example", 14],
      ]),
      2 * SECOND,
      since(9),
    );
    expect(confirmation.head("new.example")).toBe(14);
    expect(confirmation.head(D)).toBeUndefined();
  });

  it("keeps a head that is newer than anything it knows of", () => {
    const confirmation = new LogView(0, WINDOW);
    // A change went through it, and it applied a late answer about other domains before it got everything.
    confirmation.noteChange(since(11), {});
    confirmation.apply(told(20, [[D, 20]], { full: false }), 0, since(18));
    confirmation.apply(told(12, [[OTHER, 12]]), SECOND, null);
    expect(confirmation.head(D)).toBe(20);
    expect(confirmation.head(OTHER)).toBe(12);
  });
});
