import { beforeEach, describe, expect, it } from "vitest";
import type { GenerationRecord } from "../../src/api/index.ts";
import type { IsolateHost, Reply } from "../../testing/isolate-host.ts";
import { type List, people } from "../../testing/lists.ts";
import { HOUR, must, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";

let world: World;
let isolate: IsolateHost;

beforeEach(() => {
  world = new World();
  isolate = world.isolate();
});

const verdictOf = async (local: string, domain = D): Promise<string> =>
  (await isolate.check(`${local}@${domain}`)).verdict;

/** Whether the guard allows a list. */
const isGuarded = ({ status, body }: Reply): boolean => {
  if (status === 200) return false;
  expect(body).toMatchObject({ error: { code: "guard" } });
  return true;
};

describe("the guard", () => {
  const tryList = async (list: List): Promise<boolean> => isGuarded(await world.tryPublish(isolate, D, list));

  it("refuses a list that lacks more than a fifth of the names, says so, and changes nothing", async () => {
    const first = await world.publish(isolate, D, people(100));
    const reply = await world.tryPublish(isolate, D, people(79));
    expect(reply).toMatchObject({
      status: 422,
      body: { error: { code: "guard", refusals: { [D]: expect.any(String) } } },
    });
    expect(await isolate.check(`u99@${D}`)).toMatchObject({ verdict: "deliverable", generation: first });
    expect(await tryList(people(80))).toBe(false);
  });

  it("uses the present share: a smaller one applies immediately", async () => {
    await world.publish(isolate, D, people(100));
    await world.publish(isolate, D, people(96), { policy: { guard: 0.05 } });
    expect(await tryList(people(90))).toBe(true);
    expect(await tryList(people(95))).toBe(false);
  });

  it("refuses an empty list, and a list of other names only", async () => {
    await world.publish(isolate, D, people(10));
    expect(await tryList([])).toBe(true);
    expect(await tryList(people(10, 100))).toBe(true);
  });

  it("counts names and not totals", async () => {
    await world.publish(isolate, D, people(100));
    // The same number of names, a quarter of them different.
    expect(await tryList([...people(75), ...people(25, 500)])).toBe(true);
    expect(await tryList([...people(80), ...people(500, 500)])).toBe(false);
  });

  it("counts names that become disabled or moved as lost, and not those that become full", async () => {
    await world.publish(isolate, D, people(100));
    const inState = (state: "disabled" | "moved" | "full"): List => [
      ...people(75),
      ...people(25, 75).map((local) => [local, state] as const),
    ];
    expect(await tryList(inState("disabled"))).toBe(true);
    expect(await tryList(inState("moved"))).toBe(true);
    expect(await tryList(inState("full"))).toBe(false);
    // A full name counts as present.
    expect(await tryList(people(75))).toBe(true);
  });

  it("allows one name to go from any list, and not the last", async () => {
    await world.publish(isolate, D, ["alice", "bob"]);
    expect(await tryList(["alice"])).toBe(false);
    expect(await tryList([["alice", "disabled"]])).toBe(true);
    expect(await tryList([])).toBe(true);
  });

  it("compares a slow drain with the largest generation of the last day", async () => {
    await world.publish(isolate, D, people(100));
    for (const left of [95, 90, 85, 80]) {
      await world.clock.advance(HOUR);
      expect(await tryList(people(left))).toBe(false);
    }
    await world.clock.advance(HOUR);
    expect(await tryList(people(79))).toBe(true);
    // A day after the largest list was replaced, the next smaller one is compared.
    await world.clock.advance(20.5 * HOUR);
    expect(await tryList(people(77))).toBe(false);
    expect(await tryList(people(70))).toBe(true);
  });

  it("needs the override for a policy change whose effect cannot be counted", async () => {
    await world.publish(isolate, D, people(10));
    for (const policy of [
      { catchall: true },
      { delimiters: "-" },
      { case: "sensitive" as const },
      { dots: "ignored" as const },
    ]) {
      expect(isGuarded(await world.tryPublish(isolate, D, people(10), { policy }))).toBe(true);
    }
    expect(
      isGuarded(await world.tryPublish(isolate, D, people(10), { policy: { text: "ask", grace: 60 } })),
    ).toBe(false);
    expect(
      isGuarded(await world.tryPublish(isolate, D, [], { policy: { catchall: true }, force: true })),
    ).toBe(false);
    expect(await verdictOf("anybody")).toBe("deliverable");
  });

  it("needs the override for a new key, compares nothing across it, and everybody has the grace", async () => {
    await world.publish(isolate, D, people(10));
    expect(isGuarded(await world.tryPublish(isolate, D, people(10), { epoch: 2 }))).toBe(true);
    await world.publish(isolate, D, people(9), { epoch: 2, force: true });
    expect(await verdictOf("u0")).toBe("deliverable");
    expect(await verdictOf("u9")).toBe("departed");
    await world.clock.advance(HOUR);
    expect(await verdictOf("u9")).toBe("unknown");
    expect(isGuarded(await world.tryPublish(isolate, D, people(4)))).toBe(true);
  });

  it("protects a domain that was deleted and is published again within the day", async () => {
    await world.publish(isolate, D, people(10));
    await world.remove(isolate, D);
    await world.clock.advance(HOUR);
    expect(await tryList(people(5))).toBe(true);
    expect(await tryList(people(9))).toBe(false);
  });

  it("is overridden by force, which is recorded", async () => {
    await world.publish(isolate, D, people(10));
    await world.publish(isolate, D, people(1), { force: true });
    const { body } = await must(isolate.call(`/v1/domains/${D}/generations`));
    const { generations } = body as { generations: GenerationRecord[] };
    expect(generations.map(({ forced }) => forced)).toEqual([true, false]);
  });
});

describe("a name that left", () => {
  it("is deferred for the grace, and then unknown", async () => {
    await world.publish(isolate, D, ["alice", "bob"], { policy: { grace: 600 } });
    await world.publish(isolate, D, ["alice"]);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({
      verdict: "departed",
      action: "defer",
      max_age: 0,
    });
    await world.clock.advance(599 * SECOND);
    expect(await verdictOf("bob")).toBe("departed");
    // The second says who left together, so it may be a few later.
    await world.clock.advance(6 * SECOND);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "unknown", action: "reject" });
  });

  it("stays deferred over later commits, and is deliverable if it returns", async () => {
    await world.publish(isolate, D, ["alice", "bob", "carol"], { policy: { grace: 600 } });
    await world.publish(isolate, D, ["alice", "carol"]);
    await world.clock.advance(300 * SECOND);
    await world.publish(isolate, D, ["alice", "carol", "dave"]);
    expect(await verdictOf("bob")).toBe("departed");
    await world.publish(isolate, D, ["alice", "bob", "carol", "dave"]);
    expect(await verdictOf("bob")).toBe("deliverable");
    await world.publish(isolate, D, ["alice", "carol", "dave"]);
    await world.clock.advance(400 * SECOND);
    expect(await verdictOf("bob")).toBe("departed");
    await world.clock.advance(300 * SECOND);
    expect(await verdictOf("bob")).toBe("unknown");
  });

  it("is unknown immediately if the grace is 0", async () => {
    await world.publish(isolate, D, ["alice", "bob"], { policy: { grace: 0 } });
    await world.publish(isolate, D, ["alice"]);
    expect(await verdictOf("bob")).toBe("unknown");
  });
});

describe("a rollback", () => {
  it("is old content under a new number, and names that leave with it are deferred", async () => {
    const first = await world.publish(isolate, D, ["alice", "bob"]);
    const second = await world.publish(isolate, D, ["alice", "bob", "carol", "dave"]);
    const third = await world.rollback(isolate, D, first);
    expect(third).toBeGreaterThan(second);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable", generation: third });
    expect(await isolate.check(`carol@${D}`)).toMatchObject({ verdict: "departed", generation: third });
    await world.clock.advance(2 * HOUR);
    expect(await isolate.check(`carol@${D}`)).toMatchObject({ verdict: "unknown", generation: third });
  });

  it("restores the shards of a large list, in isolates and in KV", async () => {
    const first = await world.publish(isolate, D, people(9_000), { bits: 1 });
    await world.publish(isolate, D, people(8_990), { bits: 1 });
    await world.clock.advance(HOUR);
    const third = await world.rollback(isolate, D, first);
    await world.clock.advance(HOUR);
    expect(world.differences()).toEqual([]);
    const cold = world.isolate("cold");
    expect(await cold.check(`u8999@${D}`)).toMatchObject({
      verdict: "deliverable",
      generation: third,
      cost: { registry: 0 },
    });
  });

  it("goes back to the key of its time", async () => {
    const first = await world.publish(isolate, D, people(10));
    await world.publish(isolate, D, people(10), { epoch: 2, force: true });
    await world.rollback(isolate, D, first);
    expect(await verdictOf("u3")).toBe("deliverable");
    // Names of the list before cannot be told from others under this key.
    expect(await verdictOf("nobody")).toBe("departed");
    await world.clock.advance(HOUR);
    expect(await verdictOf("nobody")).toBe("unknown");
    await world.publish(isolate, D, people(11));
    expect(await verdictOf("u10")).toBe("deliverable");
  });
});

describe("observe mode", () => {
  it("accepts what it would refuse or defer, and keeps the verdict and the reply", async () => {
    const list: List = ["alice", "bob", ["dora", "disabled"], ["mo", "moved"], ["fay", "full"]];
    await world.publish(isolate, D, list, { mode: "observe" });
    await world.publish(
      isolate,
      D,
      list.filter((entry) => entry !== "bob"),
    );
    for (const [local, verdict, code] of [
      ["nobody", "unknown", "550 5.1.1"],
      ["dora", "disabled", "550 5.2.1"],
      ["mo", "moved", "550 5.1.6"],
      ["fay", "full", "452 4.2.2"],
      ["bob", "departed", "450 4.2.1"],
    ] as const) {
      const answer = await isolate.check(`${local}@${D}`);
      expect(answer).toMatchObject({ verdict, action: "accept", mode: "observe" });
      expect(answer.reply).toMatch(/^250 2\.1\.5 /);
      expect(answer.observed).toContain(code);
    }
    expect(await isolate.check(`alice@${D}`)).not.toHaveProperty("observed");
    expect(await verdictOf("alice", "elsewhere.example")).toBe("not-served");
  });

  it("ends within one window everywhere", async () => {
    await world.publish(isolate, D, ["alice"], { mode: "observe" });
    const far = world.isolate("far");
    await far.check(`nobody@${D}`);
    await far.idle();
    world.kv.propagation = () => HOUR;
    await world.publish(isolate, D, ["alice"], { mode: "enforce" });
    expect(await far.check(`nobody@${D}`)).toMatchObject({ action: "accept", mode: "observe" });
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ action: "reject" });
    await world.clock.advance(WINDOW);
    expect(await far.check(`nobody@${D}`)).toMatchObject({
      verdict: "unknown",
      action: "reject",
      mode: "enforce",
    });
  });
});

describe("an alias", () => {
  beforeEach(async () => {
    await world.publish(isolate, D, ["alice"]);
    await world.publish(isolate, "alias.example", [], { policy: { alias: D } });
  });

  it("answers from its target's list, under its own name", async () => {
    expect(await isolate.check("alice@alias.example")).toMatchObject({
      verdict: "deliverable",
      domain: "alias.example",
    });
    expect(await verdictOf("bob", "alias.example")).toBe("unknown");
    await world.publish(isolate, D, ["alice", "bob"]);
    expect(await verdictOf("bob", "alias.example")).toBe("deliverable");
    await world.publish(isolate, D, ["alice"]);
    expect(await verdictOf("bob", "alias.example")).toBe("departed");
  });

  it("has one target that exists and is not an alias, and is not a target itself", async () => {
    const statusOf = async (domain: string, alias: string): Promise<number> =>
      (await world.tryPublish(isolate, domain, [], { policy: { alias } })).status;
    expect(await statusOf("b.example", "nowhere.example")).toBe(400);
    expect(await statusOf("b.example", "b.example")).toBe(400);
    expect(await statusOf("b.example", "alias.example")).toBe(400);
    await world.publish(isolate, "c.example", ["carol"]);
    const reply = await world.tryPublish(isolate, D, [], { policy: { alias: "c.example" }, force: true });
    expect(reply.status).toBe(400);
    expect((await isolate.call(`/v1/domains/${D}?expect=1`, { method: "DELETE" })).status).toBe(400);
    await world.remove(isolate, "alias.example");
    await world.remove(isolate, D);
    expect(await verdictOf("alice")).toBe("departed");
  });
});
