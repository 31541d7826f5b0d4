import { beforeEach, describe, expect, it } from "vitest";
import type { TokenCreated } from "../../src/api/index.ts";
import { type Answer, rosterKey } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { DAY, MINUTE, must, WINDOW, World } from "../../testing/world.ts";

const D = "example.com";
const OTHER = "other.example";

let world: World;
let publisher: IsolateHost;

beforeEach(async () => {
  world = new World({ history: DAY });
  publisher = world.isolate("publisher");
  await world.publish(publisher, OTHER, ["alice"]);
});

async function tokenFor(domains: readonly string[] | null): Promise<string> {
  const json = { role: "check", domains };
  return ((await must(publisher.call("/v1/tokens", { json }))).body as TokenCreated).token;
}

const MISSING = {
  verdict: "unavailable",
  action: "defer",
  reply: expect.stringMatching(/^451 /),
  domain: D,
  detail: `the Registry has no list of ${D}, which this token names: publish one`,
};
const NOT_SERVED = { verdict: "not-served", action: "reject" };

describe("a domain without any list", () => {
  it("that the token names is deferred with the reason, on every route, and at no further cost", async () => {
    const named = await tokenFor([D, OTHER]);
    const [isolate, other] = [world.isolate("cold"), world.isolate("also cold")];
    const first = await isolate.check(`alice@${D}`, { token: named });
    expect(first).toMatchObject(MISSING);
    expect(first.incarnation).toBe(world.headOf(OTHER)?.incarnation);
    expect(first.cost.status).toBe(503);
    const all = await other.check(`alice@${D}`);
    expect(all).toMatchObject(NOT_SERVED);
    expect([first.cost.kv, first.cost.registry]).toEqual([all.cost.kv, all.cost.registry]);
    await isolate.idle();
    expect(await isolate.check(`bob@${D}`, { token: named })).toMatchObject({ cost: { kv: 0, registry: 0 } });
    const json = { recipients: [`alice@${D}`, `alice@${OTHER}`, `nobody@${OTHER}`, "x@third.example"] };
    const batch = await isolate.call("/v1/rcpt", { token: named, json });
    const { results } = batch.body as { results: Answer[] };
    expect(results).toMatchObject([
      MISSING,
      { verdict: "deliverable" },
      { verdict: "unknown" },
      { verdict: "unavailable", detail: expect.stringContaining("does not cover") },
    ]);
    const got = await isolate.call(`/v1/rcpt/alice%40${D}`, { token: named });
    expect(got).toMatchObject({ status: 503, body: MISSING });
    // The token changes nothing for other tokens.
    expect(await isolate.check(`alice@${D}`, { token: await tokenFor(null) })).toMatchObject(NOT_SERVED);
    expect(await isolate.check(`alice@${D}`)).toMatchObject(NOT_SERVED);
  });

  it("is served as soon as its list is published", async () => {
    const token = await tokenFor([D]);
    const isolate = world.isolate("mx");
    expect(await isolate.check(`alice@${D}`, { token })).toMatchObject(MISSING);
    await isolate.idle();
    await world.publish(publisher, D, ["alice"]);
    await world.clock.advance(WINDOW);
    expect(await isolate.check(`alice@${D}`, { token })).toMatchObject({ verdict: "deliverable" });
    expect(await isolate.check(`nobody@${D}`, { token })).toMatchObject({ verdict: "unknown" });
  });

  it("is deferred if its Registry was lost and initialised again", async () => {
    await world.publish(publisher, D, ["alice"]);
    const token = await tokenFor([D]);
    await world.clock.advance(MINUTE);
    world.replaceRegistry();
    for (const key of world.kv.keys()) world.kv.set(key, null);
    world.kv.set(rosterKey("0"), null);
    await world.clock.advance(MINUTE);
    await world.publish(world.isolate("elsewhere"), "another.example", ["alice"]);
    await world.clock.advance(2 * WINDOW);
    const fresh = world.isolate("fresh");
    expect(await fresh.check(`alice@${D}`, { token })).toMatchObject(MISSING);
    expect(await fresh.check(`alice@${D}`)).toMatchObject(NOT_SERVED);
  });
});

describe("a domain that was deleted", () => {
  it("is not served for a token that names it while its tombstone exists, and then has no list", async () => {
    const token = await tokenFor([D]);
    await world.publish(publisher, D, ["alice"]);
    const tombstone = await world.remove(publisher, D);
    const isolate = world.isolate("mx");
    await world.clock.advance(MINUTE);
    expect(await isolate.check(`alice@${D}`, { token })).toMatchObject({ verdict: "departed" });
    await world.clock.advance(DAY);
    const deleted = await isolate.check(`alice@${D}`, { token });
    expect(deleted).toMatchObject({ ...NOT_SERVED, generation: tombstone });
    await world.clock.advance(2 * DAY);
    expect(world.headOf(D)).toBeNull();
    expect(await world.isolate("cold").check(`alice@${D}`, { token })).toMatchObject(MISSING);
    expect(await world.isolate("cold too").check(`alice@${D}`)).toMatchObject(NOT_SERVED);
  });
});
