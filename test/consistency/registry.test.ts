import { describe, expect, it } from "vitest";
import { manifestKey, rosterKey } from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, must, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";

describe("the Registry", () => {
  it("that was never initialised answers with a fault, and not with an empty list", async () => {
    const world = new World();
    const isolate = world.isolate();
    for (let i = 0; i < 3; i++) {
      expect(await isolate.check(`alice@${D}`)).toMatchObject({ verdict: "unavailable" });
      await world.clock.advance(2 * SECOND);
    }
    expect(
      await world.registry().core({ partition: 0, partitions: 1 }).question({ since: null, want: D }),
    ).toMatchObject({
      ok: false,
      error: { code: "uninitialised" },
    });
  });

  it("that was made for another number of partitions answers with a fault, and causes no refusal", async () => {
    const world = new World();
    await world.publish(world.isolate(), D, ["alice"]);
    await world.clock.advance(MINUTE);
    const wrong = world.isolate("wrong", { partitions: 2 });
    for (const recipient of [`nobody@${D}`, "alice@elsewhere.example", `alice@${D}`]) {
      expect((await wrong.check(recipient)).action).not.toBe("reject");
      await wrong.idle();
      await world.clock.advance(2 * SECOND);
    }
    expect((await wrong.call("/v1/commits", { json: { domains: [] } })).status).toBe(400);
    expect((await world.tryPublish(wrong, "new.example", ["alice"])).status).toBe(503);
  });

  it("that is new does not initialise if KV belongs to another Registry", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(MINUTE);
    world.replaceRegistry();
    expect((await isolate.call("/v1/registry", { method: "POST" })).status).toBe(409);
    expect(await world.isolate("cold").check(`nobody@${D}`)).toMatchObject({ action: "defer" });
    // If the roster cannot be read, it does not initialise either.
    world.kv.fault = () => ({ kind: "error" });
    expect((await isolate.call("/v1/registry", { method: "POST" })).status).toBe(503);
  });

  it("of a new incarnation is followed, even if its numbers are the old ones", async () => {
    const world = new World();
    const isolate = world.isolate();
    const [first] = [await world.publish(isolate, D, ["alice", "bob"])];
    await world.clock.advance(MINUTE);
    expect(await isolate.check(`carol@${D}`)).toMatchObject({ verdict: "unknown", generation: first });
    await isolate.idle();
    const core = world.registry().core({ partition: 0, partitions: 1 });
    const past = await core.question({ since: null, want: D });
    world.replaceRegistry();
    world.kv.set(rosterKey("0"), null);
    await world.clock.advance(MINUTE);
    expect(await isolate.check(`carol@${D}`)).toMatchObject({ action: "defer" });
    const elsewhere = world.isolate("elsewhere");
    expect(await world.publish(elsewhere, D, ["alice", "carol"], { expect: null })).toBe(first);
    await world.clock.advance(2 * WINDOW);
    for (const [local, verdict] of [
      ["bob", "unknown"],
      ["carol", "deliverable"],
      ["bob", "unknown"],
    ] as const) {
      expect(await isolate.check(`${local}@${D}`)).toMatchObject({ verdict, generation: first });
      await isolate.idle();
    }
    // Later answers of the old one, even complete ones, are ignored.
    await world.publish(elsewhere, "new.example", ["alice"]);
    world.registry().fault = () => ({ kind: "replaced", answer: past });
    await world.clock.advance(2 * WINDOW);
    for (const recipient of [`bob@${D}`, `nobody@${D}`, "alice@new.example"]) {
      expect(await isolate.check(recipient)).toMatchObject({ action: "defer" });
    }
  });

  it("gives one rising number to all domains of a commit, and none to what did not change", async () => {
    const world = new World();
    const isolate = world.isolate();
    const prepared = [];
    for (const domain of ["a.example", "b.example"])
      prepared.push(await world.prepare(isolate, domain, ["alice"]));
    const commits = prepared.map(({ commit }) => commit);
    const policies = prepared.map(({ policy }) => policy);
    const first = await must(world.send(isolate, commits, policies));
    expect(first.body).toEqual({ generations: { "a.example": 1, "b.example": 1 }, unchanged: [] });
    const again = [];
    again.push(await world.prepare(isolate, "a.example", ["alice"]));
    again.push(await world.prepare(isolate, "b.example", ["alice", "bob"]));
    const second = await must(
      world.send(
        isolate,
        again.map(({ commit }) => commit),
        policies,
      ),
    );
    expect(second.body).toEqual({
      generations: { "a.example": 1, "b.example": 2 },
      unchanged: ["a.example"],
    });
  });

  it("makes a commit completely or not at all", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, "a.example", people(10));
    const good = await world.prepare(isolate, "b.example", ["alice"]);
    const bad = await world.prepare(isolate, "a.example", people(5));
    const reply = await world.send(isolate, [good.commit, bad.commit], [good.policy, bad.policy]);
    expect(reply.status).toBe(422);
    expect(world.headOf("b.example")).toBeNull();
    const stale = await world.prepare(isolate, "a.example", people(11), { expect: 7 });
    expect((await world.send(isolate, [good.commit, stale.commit], [good.policy, stale.policy])).status).toBe(
      409,
    );
    expect(world.headOf("b.example")).toBeNull();
    expect(await isolate.check("alice@b.example")).toMatchObject({ verdict: "not-served" });
  });

  it("never loses an acknowledged commit, and makes one whose answer was lost only once", async () => {
    const world = new World();
    const isolate = world.isolate();
    const first = await world.publish(isolate, D, ["alice"]);
    world.registry().restart();
    world.registry().fault = ({ method }) => (method === "commit" ? { kind: "lost" } : undefined);
    expect((await world.tryPublish(isolate, D, ["alice", "bob"])).status).toBe(503);
    world.registry().fault = () => undefined;
    const repeated = await world.tryPublish(isolate, D, ["alice", "bob"]);
    expect(repeated).toMatchObject({ status: 409, body: { error: { code: "conflict", head: first + 1 } } });
    await world.clock.advance(WINDOW);
    expect(await isolate.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable", generation: first + 1 });
    expect(await isolate.check(`carol@${D}`)).toMatchObject({ verdict: "unknown", generation: first + 1 });
  });

  it("lists everything for a question from before the last pruning, and keeps a pruned domain not served", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice"]);
    await world.publish(isolate, "other.example", ["alice"]);
    const sleeper = world.isolate("sleeper");
    await sleeper.check(`nobody@${D}`);
    await sleeper.idle();
    const tombstone = await world.remove(isolate, D);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ verdict: "departed", generation: tombstone });
    await world.clock.advance(23 * HOUR);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ verdict: "departed", action: "defer" });
    expect(await sleeper.check(`alice@${D}`)).toMatchObject({ verdict: "departed", action: "defer" });
    await world.clock.advance(2 * HOUR);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ verdict: "not-served", action: "reject" });
    await isolate.idle();
    await world.clock.advance(40 * DAY);
    expect(world.headOf(D)).toBeNull();
    expect(world.kv.newest(manifestKey(D))).toBeNull();
    const asked = {
      since: { incarnation: world.isolates[0]?.reader.views.at(0).incarnation as number, number: 1 },
      want: null,
    };
    expect(await world.registry().core({ partition: 0, partitions: 1 }).question(asked)).toMatchObject({
      value: { full: true },
    });
    for (const each of [isolate, sleeper, world.isolate("cold")]) {
      for (let i = 0; i < 2; i++) {
        expect(await each.check(`alice@${D}`)).toMatchObject({ verdict: "not-served", action: "reject" });
        await each.idle();
      }
    }
    const republished = await world.publish(isolate, D, ["dave"]);
    expect(republished).toBeGreaterThan(tombstone);
    await world.clock.advance(WINDOW);
    for (const each of [isolate, sleeper, world.isolate("colder")]) {
      expect(await each.check(`dave@${D}`)).toMatchObject({
        verdict: "deliverable",
        generation: republished,
      });
      await each.idle();
      expect(await each.check(`alice@${D}`)).toMatchObject({ verdict: "unknown", generation: republished });
    }
  });

  it("serves each domain from its own partition", async () => {
    const world = new World({ partitions: 3 });
    const isolate = world.isolate();
    const domains = ["a.example", "b.example", "c.example", "d.example", "e.example"];
    for (const domain of domains) await world.publish(isolate, domain, ["alice"]);
    expect(new Set(domains.map(world.partitionOf)).size).toBeGreaterThan(1);
    const cold = world.isolate("cold");
    for (const domain of domains) {
      expect(await cold.check(`alice@${domain}`)).toMatchObject({ verdict: "deliverable" });
      expect(await cold.check(`nobody@${domain}`)).toMatchObject({ verdict: "unknown" });
    }
  });
});
