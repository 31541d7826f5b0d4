import { describe, expect, it } from "vitest";
import { LogView } from "../../src/reader/log-view.ts";
import { people } from "../../testing/lists.ts";
import { DAY, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

/** Sequences that the simulation found, each as a test of its own. */
const D = "example.com";
const OTHER = "other.example";

describe("a manifest that is being loaded", () => {
  it("is awaited until it is as new as the known head, not until KV shows an old one", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice", "bob", "carol"], { policy: { grace: 0 } });
    await world.publish(here, OTHER, ["alice"]);
    await world.clock.advance(5 * MINUTE);
    await far.check(`bob@${D}`);
    await far.idle();
    world.kv.propagation = () => 180 * SECOND;
    await world.publish(here, D, ["alice", "carol"]);
    await world.clock.advance(2 * WINDOW);
    // A check of another domain tells it that there is a newer list, which it has not loaded yet.
    await far.check(`nobody@${OTHER}`);
    const together = [far.beginCheck(`bob@${D}`), far.beginCheck(`bob@${D}`), far.beginCheck(`bob@${D}`)];
    const answers = await world.clock.run(Promise.all(together));
    expect(answers.map(({ verdict }) => verdict)).toEqual(["unknown", "unknown", "unknown"]);
  });
});

describe("an alias that was loaded apart from its target", () => {
  it("is not answered with a number that none of its states has", async () => {
    const world = new World();
    const here = world.isolate("here");
    await world.publish(here, "target.example", ["alice"]);
    await world.publish(here, D, [], { policy: { alias: "target.example" }, force: true });
    await world.clock.advance(5 * MINUTE);
    const head = await world.publish(here, D, ["alice", "bob"], { policy: { alias: null }, force: true });
    await world.publish(here, "target.example", ["alice", "carol"]);
    await world.clock.advance(10 * SECOND);
    world.kv.propagation = (_, key) => (key === "domain/target.example" ? 0 : 180 * SECOND);
    world.registry().fault = () => ({ kind: "error" });
    const far = world.isolate("far");
    const mixed = await far.check(`alice@${D}`);
    expect(mixed).toMatchObject({ action: "accept", confirmed_age: null });
    expect(mixed.generation).toBeLessThanOrEqual(head);
    world.registry().fault = () => undefined;
    await world.clock.advance(10 * SECOND);
    // A client that has seen that number is not deferred for ever.
    const floor = { [D]: mixed.generation as number };
    expect(await far.check(`bob@${D}`, { floor })).toMatchObject({ action: "accept", generation: head });
  });

  it("is not answered with the number of a change that went through the isolate and says nothing about it", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, "target.example", ["alice"]);
    await world.publish(here, D, [], { policy: { alias: "target.example" }, force: true });
    await world.clock.advance(5 * MINUTE);
    expect(await far.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    await far.idle();
    world.kv.propagation = (_, key) => (key === "domain/target.example" ? 0 : 180 * SECOND);
    const head = await world.publish(here, D, ["alice", "bob"], { policy: { alias: null }, force: true });
    await world.publish(far, "target.example", ["alice", "carol"]);
    await world.clock.advance(40 * SECOND);
    world.registry().fault = () => ({ kind: "error" });
    const mixed = await far.check(`alice@${D}`);
    expect(mixed).toMatchObject({ action: "accept", confirmed_age: null });
    expect(mixed.generation).toBeLessThanOrEqual(head);
  });
});

describe("an answer from before a change that went through the isolate", () => {
  it("confirms nothing, and still shows which lists are newer than those in memory", () => {
    const confirmation = new LogView(0, WINDOW);
    const told = (asOf: number, heads: readonly (readonly [string, number])[], revoked: string[] = []) => ({
      incarnation: 1,
      asOf,
      full: asOf === 17,
      heads,
      revoked,
      wanted: null,
    });
    confirmation.apply(told(17, [[D, 16]]), 0, null);
    // It revoked another token while it waited for an answer.
    confirmation.noteChange({ incarnation: 1, number: 20 }, {}, ["its own"]);
    confirmation.apply(told(19, [[D, 18]], ["another"]), SECOND, { incarnation: 1, number: 17 });
    expect(confirmation.head(D)).toBe(18);
    expect(confirmation.isRevoked("another")).toBe(true);
    expect(confirmation.isFresh(SECOND)).toBe(false);
    expect(confirmation.position).toEqual({ incarnation: 1, number: 17 });
  });
});

describe("several parts of a list whose writes to KV were lost", () => {
  it("are written again as soon as readers miss them, each by itself", async () => {
    const world = new World();
    const here = world.isolate();
    const isShard = (keys: readonly string[]): boolean => keys.some((key) => key.startsWith("shard/"));
    world.kv.fault = ({ kind, keys }) => (kind === "put" && isShard(keys) ? { kind: "lost" } : undefined);
    await world.publish(here, D, people(14_000), { bits: 1 });
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    expect(world.differences()).toHaveLength(2);
    await world.clock.advance(5 * MINUTE);
    // The first reader misses one part, which is written again. A little later another reader misses the other part.
    for (const name of people(12)) {
      expect((await world.isolate("far").check(`${name}@${D}`)).verdict).toBe("deliverable");
      await world.clock.advance(5 * SECOND);
    }
    expect(world.differences()).toEqual([]);
  });
});

describe("observe mode without contact to the Registry", () => {
  it("accepts for accept-grace only, whatever the verdict", async () => {
    const world = new World({ acceptGrace: 2 * MINUTE });
    const here = world.isolate();
    await world.publish(here, D, ["alice", "bob", ["carol", "full"]], { mode: "observe" });
    await world.publish(here, D, ["alice", ["carol", "full"]], { policy: { grace: DAY / SECOND } });
    const seen = async (name: string) => {
      const { verdict, action } = await here.check(`${name}@${D}`);
      return `${verdict} ${action}`;
    };
    expect(await seen("bob")).toBe("departed accept");
    expect(await seen("carol")).toBe("full accept");
    await here.idle();
    world.registry().fault = () => ({ kind: "error" });
    await world.clock.advance(3 * MINUTE);
    for (const name of ["alice", "bob", "carol"]) expect(await seen(name)).toBe("unavailable defer");
  });
});
