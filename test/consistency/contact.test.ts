import { describe, expect, it } from "vitest";
import { rosterKey } from "../../src/directory/index.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";

/** KV works, and the Registry does not answer. */
function silence(world: World): void {
  world.registry().fault = () => ({ kind: "error" });
  world.kv.fault = ({ location }) => (location === "registry" ? { kind: "error" } : undefined);
}

describe("the age of the last contact", () => {
  it("is the confirmation's age if there is one, for every verdict", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice", ["fred", "full"]]);
    await isolate.check(`alice@${D}`);
    await world.clock.advance(7 * SECOND + 1);
    for (const recipient of [`alice@${D}`, `fred@${D}`, `nobody@${D}`, "x@elsewhere.example"]) {
      const { confirmed_age, contact_age } = await isolate.check(recipient);
      expect(contact_age).toBe(confirmed_age);
      expect(contact_age).toBeGreaterThanOrEqual(0);
    }
    for (const nobody of ["postmaster", "no address"]) {
      expect(await isolate.check(nobody)).toMatchObject({ contact_age: null, incarnation: null });
    }
  });

  it("is part of an unconfirmed accept, and grows with time", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(MINUTE);
    await isolate.check(`nobody@${D}`);
    await isolate.idle();
    const { lastContact } = isolate.reader.views.at(0);
    silence(world);
    for (const later of [35 * SECOND, HOUR, DAY]) {
      await world.clock.advance(later);
      const given = await isolate.check(`alice@${D}`);
      expect(given).toMatchObject({ action: "accept", confirmed_age: null, max_age: 0 });
      expect(given.contact_age).toBe(Math.ceil((world.clock.now() - lastContact) / SECOND));
    }
  });

  it("is counted from the list's commit, if nothing newer is known", async () => {
    const world = new World();
    await world.publish(world.isolate("publisher"), D, ["alice"]);
    await world.clock.advance(10 * MINUTE);
    const made = world.headOf(D)?.time as number;
    const given = await world.isolate("cold").check(`alice@${D}`);
    expect(given).toMatchObject({ action: "accept", confirmed_age: null });
    expect(given.contact_age).toBe(Math.ceil((world.clock.now() - made) / SECOND));
  });

  it("is that of a list that is newer than the isolate's own last contact", async () => {
    const world = new World();
    const [here, sleeper] = [world.isolate("here"), world.isolate("sleeper")];
    await world.publish(here, D, ["alice"]);
    await sleeper.check(`alice@${D}`);
    await sleeper.idle();
    await world.clock.advance(6 * HOUR);
    await world.publish(here, D, ["alice", "bob"]);
    const made = world.headOf(D)?.time as number;
    await world.clock.advance(5 * MINUTE);
    silence(world);
    const given = await sleeper.check(`bob@${D}`);
    expect(given).toMatchObject({ action: "accept", confirmed_age: null });
    expect(given.contact_age).toBe(Math.ceil((world.clock.now() - made) / SECOND));
  });

  it("is that of the heartbeat in KV if the Registry does not answer", async () => {
    const world = new World();
    await world.publish(world.isolate("publisher"), D, ["alice"]);
    await world.clock.advance(3 * DAY);
    silence(world);
    await world.clock.advance(2 * HOUR);
    const cold = world.isolate("cold");
    await cold.check(`nobody@${D}`);
    const given = await cold.check(`alice@${D}`);
    expect(given).toMatchObject({ action: "accept", confirmed_age: null });
    expect(given.contact_age).toBeGreaterThan((2 * HOUR) / SECOND);
    expect(given.contact_age).toBeLessThan((4 * HOUR) / SECOND);
  });
});

describe("the incarnation", () => {
  it("is the log's, for lists and for the statement that there is none", async () => {
    const world = new World();
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice"]);
    const { incarnation } = world.headOf(D) as { incarnation: number };
    expect(incarnation).toBeGreaterThan(0);
    for (const recipient of [`alice@${D}`, `nobody@${D}`, "x@elsewhere.example"]) {
      expect(await isolate.check(recipient)).toMatchObject({ incarnation });
    }
  });

  it("is sent to a client that has seen the higher numbers of a lost log", async () => {
    const world = new World();
    const publisher = world.isolate("publisher");
    await world.publish(publisher, D, ["alice"]);
    const seen = await world.publish(publisher, D, ["alice", "bob"]);
    const older = world.headOf(D)?.incarnation as number;
    await world.clock.advance(MINUTE);
    world.replaceRegistry();
    world.kv.set(rosterKey("0"), null);
    await world.clock.advance(MINUTE);
    const elsewhere = world.isolate("elsewhere");
    const first = await world.publish(elsewhere, D, ["alice"], { expect: null });
    expect(first).toBeLessThan(seen);
    await world.clock.advance(2 * WINDOW);
    const newer = world.headOf(D)?.incarnation as number;
    expect(newer).toBeGreaterThan(older);
    const isolate = world.isolate("cold");
    for (const recipient of [`alice@${D}`, `nobody@${D}`]) {
      const deferral = await isolate.check(recipient, { floor: { [D]: seen } });
      expect(deferral).toMatchObject({
        verdict: "unavailable",
        detail: "older than what the client has seen",
        incarnation: newer,
      });
    }
    const unserved = await isolate.check("x@gone.example", { floor: { "gone.example": seen + 10 } });
    expect(unserved).toMatchObject({ verdict: "unavailable", incarnation: newer });
    expect(await isolate.check(`nobody@${D}`)).toMatchObject({ verdict: "unknown", incarnation: newer });
  });
});

describe("an isolate that had no requests for a long time", () => {
  /** It has confirmed the list once, and was idle since. */
  async function slept(ms: number, acceptGrace: number) {
    const world = new World({ acceptGrace });
    const isolate = world.isolate();
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(MINUTE);
    await isolate.check(`nobody@${D}`);
    await isolate.idle();
    await world.clock.advance(ms);
    return { world, isolate };
  }

  it.each([
    ["longer than accept-grace", 2 * HOUR, HOUR],
    ["longer than a short accept-grace", 3 * MINUTE, 2 * MINUTE],
    ["longer than a day, within accept-grace", 2 * DAY, 7 * DAY],
  ])("asks the Registry, and then answers: %s", async (_, ms, acceptGrace) => {
    const { world, isolate } = await slept(ms, acceptGrace);
    const given = await isolate.check(`alice@${D}`);
    expect(given).toMatchObject({ action: "accept", confirmed_age: 1, contact_age: 1 });
    expect(given.cost.registry).toBe(1);
    expect(world.violations).toEqual([]);
  });

  it("does not wait for the Registry if the last contact was today", async () => {
    const { isolate } = await slept(23 * HOUR, 7 * DAY);
    const given = await isolate.check(`alice@${D}`);
    expect(given).toMatchObject({ action: "accept", confirmed_age: null });
    expect(given.cost.registry).toBe(0);
  });

  it.each(["error", "hang"] as const)("defers if the Registry does not answer (%s)", async (kind) => {
    const { world, isolate } = await slept(2 * HOUR, HOUR);
    world.registry().fault = () => ({ kind });
    world.kv.fault = ({ keys }) =>
      keys.some((key) => key.startsWith("roster/")) ? { kind: "error" } : undefined;
    const first = await isolate.check(`alice@${D}`);
    expect(first).toMatchObject({
      verdict: "unavailable",
      detail: "there was no contact with the Registry for too long",
    });
    expect(first.cost.took).toBeLessThan(3.2 * SECOND);
    // No other check waits for what failed a moment ago.
    await world.clock.advance(SECOND / 2);
    const second = await isolate.check(`alice@${D}`);
    expect(second).toMatchObject({ action: "defer", cost: { registry: 0 } });
    expect(second.cost.took).toBeLessThan(100);
    world.registry().fault = () => undefined;
    await world.clock.advance(SECOND);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept", contact_age: 1 });
  });

  it("goes on accepting while the Registry is away for days, and few checks wait", async () => {
    const { world, isolate } = await slept(2 * DAY, 7 * DAY);
    world.registry().fault = () => ({ kind: "hang" });
    world.kv.fault = ({ keys }) =>
      keys.some((key) => key.startsWith("roster/")) ? { kind: "error" } : undefined;
    let waited = 0;
    for (let minutes = 0; minutes < 120; minutes++) {
      const given = await isolate.check(`alice@${D}`);
      expect(given).toMatchObject({ action: "accept", confirmed_age: null });
      if (given.cost.took > SECOND) waited++;
      await isolate.idle();
      await world.clock.advance(MINUTE);
    }
    expect(waited).toBeLessThanOrEqual(3);
  });
});

describe("one check a day", () => {
  it("gets a contact of that day with each accept from a new isolate, for a list that is weeks old", async () => {
    const world = new World();
    await world.publish(world.isolate("publisher"), D, ["alice"]);
    for (let days = 0; days < 20; days++) {
      await world.clock.advance(DAY - MINUTE);
      const given = await world.isolate(`day ${days}`).check(`alice@${D}`);
      expect(given.action).toBe("accept");
      expect(given.contact_age).not.toBeNull();
      expect(given.contact_age).toBeLessThanOrEqual(DAY / SECOND);
    }
  });
});

it("what the Registry confirms is accepted even with an accept-grace of 0", async () => {
  const world = new World({ acceptGrace: 0 });
  const isolate = world.isolate();
  await world.publish(isolate, D, ["alice"]);
  await isolate.check(`nobody@${D}`);
  for (let times = 0; times < 3; times++) {
    await world.clock.advance(5 * SECOND);
    expect(await isolate.check(`alice@${D}`)).toMatchObject({ action: "accept" });
    await isolate.idle();
  }
});
