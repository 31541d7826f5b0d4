import { describe, expect, it } from "vitest";
import { HOUR, MINUTE, must, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";

describe("freshness", () => {
  it("makes a commit visible everywhere within one window, however slow KV is", async () => {
    const world = new World();
    world.kv.propagation = (location) => (location === "far" ? 180 * SECOND : 0);
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await world.clock.advance(5 * MINUTE);
    for (const isolate of [here, far]) {
      expect(await isolate.check(`carol@${D}`)).toMatchObject({ verdict: "unknown", action: "reject" });
      await isolate.idle();
    }
    const second = await world.publish(here, D, ["alice", "carol"]);
    const acknowledged = world.clock.now();
    expect(await here.check(`carol@${D}`)).toMatchObject({ verdict: "deliverable", generation: second });
    for (let refusals = 0; ; refusals++) {
      const answer = await far.check(`carol@${D}`);
      if (answer.action === "accept") {
        expect(answer.generation).toBe(second);
        expect(refusals).toBeGreaterThan(0);
        break;
      }
      expect(world.clock.now() + answer.max_age * SECOND - acknowledged).toBeLessThanOrEqual(WINDOW);
      await world.clock.advance(SECOND);
    }
    expect(world.violations).toEqual([]);
  });

  it("makes a new domain known everywhere within one window, and refuses it nowhere longer", async () => {
    const world = new World();
    world.kv.propagation = () => 180 * SECOND;
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, "first.example", ["alice"]);
    await world.clock.advance(5 * MINUTE);
    expect(await far.check(`alice@${D}`)).toMatchObject({ verdict: "not-served", action: "reject" });
    await far.idle();
    await world.publish(here, D, ["alice"]);
    await world.clock.advance(WINDOW);
    expect(await far.check(`alice@${D}`)).toMatchObject({ verdict: "deliverable" });
  });

  it("confirms a refusal by the time of the question, not of the answer", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await world.clock.advance(MINUTE);
    const registry = world.registry();
    registry.fault = ({ method, location }) =>
      method === "question" && location === "far" ? { kind: "late", ms: 2 * SECOND } : undefined;
    const asked = world.clock.now();
    const answer = await far.check(`carol@${D}`);
    expect(answer).toMatchObject({ verdict: "unknown", action: "reject" });
    expect(world.clock.now() - asked).toBeGreaterThan(2 * SECOND);
    expect(world.clock.now() + answer.max_age * SECOND).toBeLessThanOrEqual(asked + WINDOW);
    expect(answer.confirmed_age).toBeGreaterThanOrEqual(2);
  });

  it("goes on refusing for a domain whose unchanged list was published again", async () => {
    const world = new World();
    const here = world.isolate();
    const first = await world.publish(here, D, ["alice"]);
    await world.publish(here, "other.example", ["bob"]);
    expect(await world.publish(here, D, ["alice"])).toBe(first);
    expect(await here.check(`carol@${D}`)).toMatchObject({ verdict: "unknown", generation: first });
  });

  it("shows a commit immediately in the isolate that took it, even while an older question is pending", async () => {
    const world = new World();
    const here = world.isolate();
    await world.publish(here, D, ["alice"]);
    await here.check(`carol@${D}`);
    await here.idle();
    await world.clock.advance(WINDOW / 2 + SECOND);
    world.registry().fault = ({ method }) =>
      method === "question" ? { kind: "late", ms: SECOND } : undefined;
    await here.check(`alice@${D}`);
    await world.clock.advance(100);
    world.registry().fault = () => undefined;
    await world.publish(here, "other.example", ["bob"]);
    expect(await here.check(`carol@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(await here.check("carol@other.example")).toMatchObject({ verdict: "unknown" });
    expect(await here.check("carol@elsewhere.example")).toMatchObject({ verdict: "not-served" });
  });

  it("never lets an isolate go back, in spite of KV, evictions and late answers", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice", "bob"], { policy: { grace: 0 } });
    await world.clock.advance(11 * MINUTE);
    world.kv.propagation = (location) => (location === "far" ? 10 * MINUTE : 0);
    const second = await world.publish(here, D, ["alice", "carol"], { force: true });
    await far.check(`nobody@${D}`);
    expect(await far.check(`bob@${D}`)).toMatchObject({ verdict: "unknown", generation: second });
    await far.idle();
    world.registry().fault = () => ({ kind: "error" });
    await world.clock.advance(2 * WINDOW);
    // KV still shows the older generation, which does not replace the newer one in memory.
    expect(await far.check(`carol@${D}`)).toMatchObject({ verdict: "deliverable", generation: second });
    expect(await far.check(`bob@${D}`)).toMatchObject({ action: "defer" });
    const held = far.reader.cache.peek(D);
    if (held === undefined) throw new Error("not held");
    far.reader.cache.delete(held);
    await world.clock.advance(2 * SECOND);
    // Only the older generation can be loaded now, and this isolate has answered from a newer one.
    expect(await far.check(`bob@${D}`)).toMatchObject({ action: "defer" });
    expect(far.reader.cache.peek(D)?.manifest.generation).toBeLessThan(second);
    await far.idle();
    world.registry().fault = () => undefined;
    await world.clock.advance(2 * SECOND);
    expect(await far.check(`bob@${D}`)).toMatchObject({ verdict: "unknown", generation: second });
  });

  it("undoes nothing for an answer that arrives late, twice, or after a newer one", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await far.check(`nobody@${D}`);
    await far.idle();
    await world.clock.advance(WINDOW / 2 + SECOND);
    // The answer to this question leaves the Registry now, and arrives long after the timeout.
    world.registry().fault = ({ method }) =>
      method === "question" ? { kind: "late", ms: 20 * SECOND } : undefined;
    await far.check(`alice@${D}`);
    await world.clock.advance(5 * SECOND);
    world.registry().fault = ({ method }) => (method === "question" ? { kind: "repeated" } : undefined);
    const second = await world.publish(here, D, ["alice", "carol"]);
    await world.clock.advance(WINDOW);
    expect(await far.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: second });
    await world.clock.advance(20 * SECOND);
    await far.idle();
    expect(await far.check(`carol@${D}`)).toMatchObject({ verdict: "deliverable", generation: second });
    expect(await far.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", generation: second });
  });

  it("is not confirmed by a replaced object that still answers from its past", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    const core = world.registry().core({ partition: 0, partitions: 1 });
    const past = await core.question({ since: null, want: null });
    await world.publish(here, "other.example", ["bob"]);
    expect(await far.check(`carol@${D}`)).toMatchObject({ verdict: "unknown" });
    await far.idle();
    await world.publish(here, D, ["alice", "carol"]);
    world.registry().fault = ({ method, location }) =>
      method === "question" && location === "far" ? { kind: "replaced", answer: past } : undefined;
    world.kv.propagation = () => HOUR;
    await world.clock.advance(2 * WINDOW);
    for (const recipient of [`carol@${D}`, "carol@other.example", "carol@elsewhere.example"]) {
      expect(await far.check(recipient)).toMatchObject({ action: "defer" });
    }
  });

  it("never answers from below the generation that the client has seen", async () => {
    const world = new World();
    world.kv.propagation = () => 10 * MINUTE;
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await far.check(`nobody@${D}`);
    await far.idle();
    const second = await world.publish(here, D, ["alice", "bob"]);
    expect(await far.check(`bob@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(await far.check(`bob@${D}`, { floor: { [D]: second } })).toMatchObject({
      verdict: "deliverable",
      generation: second,
    });
    expect(await far.check(`alice@${D}`, { floor: { [D]: second + 1 } })).toMatchObject({ action: "defer" });
  });

  it("calls no domain not served below the generation that the client has seen", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, "first.example", ["alice"]);
    await far.check(`alice@${D}`);
    await far.idle();
    const floor = { [D]: await world.publish(here, D, ["alice"]) };
    expect(await far.check(`alice@${D}`)).toMatchObject({ verdict: "not-served" });
    expect(await far.check(`alice@${D}`, { floor })).toMatchObject({ verdict: "deliverable" });
  });

  it("compares the minimum generation of an alias with alias and target together", async () => {
    const world = new World();
    const here = world.isolate();
    await world.publish(here, D, ["alice"]);
    await world.publish(here, "alias.example", [], { policy: { alias: D } });
    const generation = await world.publish(here, D, ["alice", "bob"]);
    const far = world.isolate("far");
    await far.check("bob@alias.example");
    await far.idle();
    const first = await far.check("bob@alias.example");
    expect(first).toMatchObject({ verdict: "deliverable", generation });
    const floor = { "alias.example": first.generation as number };
    expect(await far.check("bob@alias.example", { floor })).toMatchObject({
      verdict: "deliverable",
      generation,
    });
    expect(await far.check("carol@alias.example", { floor })).toMatchObject({
      verdict: "unknown",
      generation,
    });
  });

  it("refuses for an alias only if alias and target are confirmed at the same number", async () => {
    const world = new World();
    world.kv.propagation = () => 10 * MINUTE;
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    await world.publish(here, "alias.example", [], { policy: { alias: D } });
    await far.check("nobody@alias.example");
    await far.idle();
    const target = await world.publish(here, D, ["alice", "bob"]);
    await world.clock.advance(WINDOW);
    // The target's manifest cannot be loaded: the old one may accept, and must not refuse.
    world.registry().fault = ({ args }) =>
      (args[0] as { want?: string })?.want ? { kind: "error" } : undefined;
    expect(await far.check("alice@alias.example")).toMatchObject({ verdict: "deliverable", max_age: 0 });
    expect(await far.check("bob@alias.example")).toMatchObject({ action: "defer" });
    world.registry().fault = () => undefined;
    await world.clock.advance(2 * SECOND);
    expect(await far.check("bob@alias.example")).toMatchObject({
      verdict: "deliverable",
      generation: target,
    });
    expect(await far.check("nobody@alias.example")).toMatchObject({ verdict: "unknown", generation: target });
  });

  it("carries a revocation to every isolate within one window, and gives a revoked token no refusal", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice"]);
    const { id, token } = await world.createToken(here);
    expect(await far.check(`alice@${D}`, { token })).toMatchObject({ verdict: "deliverable" });
    await far.idle();
    await must(here.call(`/v1/tokens/${id}`, { method: "DELETE" }));
    expect((await here.call("/v1/rcpt", { json: { recipient: `alice@${D}` }, token })).status).toBe(401);
    await world.clock.advance(WINDOW);
    // This refusal waits for a confirmation, which includes the revocation.
    expect((await far.call("/v1/rcpt", { json: { recipient: `nobody@${D}` }, token })).status).toBe(401);
    expect((await far.call("/v1/rcpt", { json: { recipient: `alice@${D}` }, token })).status).toBe(401);
    const cold = world.isolate("cold");
    await cold.check(`alice@${D}`, { token });
    await cold.idle();
    expect((await cold.call("/v1/rcpt", { json: { recipient: `alice@${D}` }, token })).status).toBe(401);
  });

  it("accepts in an idle isolate only for as long as KV is behind", async () => {
    const world = new World();
    const [here, far] = [world.isolate("here"), world.isolate("far")];
    await world.publish(here, D, ["alice", "bob"], { policy: { grace: 0 } });
    await far.check(`bob@${D}`);
    await far.idle();
    world.kv.propagation = () => 3 * MINUTE;
    await world.publish(here, D, ["alice"]);
    await world.clock.advance(HOUR);
    expect(await far.check(`bob@${D}`)).toMatchObject({ verdict: "unknown" });
  });
});
