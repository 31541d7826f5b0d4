/* What a replica's polls ask for and take along, what they cost, and what they say of its lists. */
import { describe, expect, it } from "vitest";
import type { Question } from "../../../src/api/index.ts";
import { people } from "../../../testing/lists.ts";
import { HOUR, MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { bridgeOf, type HostOptions, ReplicaWorld } from "./support-world.ts";

const DOMAIN = "a.example";

/** A host that holds a list, and what it asks from then on. */
async function start(options: HostOptions = {}) {
  const world = new ReplicaWorld();
  await world.publishHere(DOMAIN, people(20));
  const host = await world.host(options);
  const polls: Question[] = [];
  const { network } = host;
  host.network = async (request) => {
    if (request.url.endsWith("/v1/changes")) polls.push((await request.clone().json()) as Question);
    return network(request);
  };
  await host.start();
  await world.clock.advance(MINUTE);
  return { world, host, polls };
}

describe("a poll", () => {
  it("asks for what changed since the one before, and for all only once", async () => {
    const { world, host, polls } = await start();
    expect(polls.length).toBeGreaterThan(2);
    expect(polls.filter(({ since }) => since === null)).toEqual([polls[0]]);
    host.useToken(await world.token([DOMAIN]));
    await world.clock.advance(MINUTE);
    expect(polls.filter(({ since }) => since === null).length).toBe(2);
  });

  it("takes along what was counted while none was answered, once one is", async () => {
    const { world, host, polls } = await start();
    const [name = ""] = people(1);
    // Who left is counted, too.
    await world.publishHere(DOMAIN, people(20).slice(1));
    await world.clock.advance(MINUTE);
    const before = polls.length;
    world.isAway = true;
    await world.clock.advance(WINDOW / 2);
    const bridge = bridgeOf(world, host);
    await world.clock.run(Promise.resolve(bridge.resolve(`${people(2)[1]}@${DOMAIN}`)));
    await world.clock.run(Promise.resolve(bridge.resolve(`${name}@${DOMAIN}`)));
    await world.clock.advance(2 * MINUTE);
    const lost = polls.length;
    expect(lost).toBeGreaterThan(before + 3);
    world.isAway = false;
    await world.clock.advance(2 * MINUTE);
    const counted = polls.slice(lost).flatMap(({ counts = [] }) => counts);
    expect(counted).toContainEqual([DOMAIN, "enforce", "deliverable", 1]);
    const asked = polls.slice(lost).flatMap(({ asked: names = [] }) => names);
    expect(asked.map(([domain]) => domain)).toEqual([DOMAIN]);
  });

  it("whose answer is not a whole log looks for nothing to remove in the folder", async () => {
    const { world, host, polls } = await start();
    const [before, operations] = [polls.length, host.disk.operations];
    await world.clock.advance(10 * MINUTE);
    // The time is written, and flushed.
    expect(host.disk.operations - operations).toBe(2 * (polls.length - before));
  });
});

describe("a list of a replica", () => {
  it("is as old as the last poll that confirmed it, and older in an outage", async () => {
    const { world, host } = await start();
    const age = (): number => host.replica.states()[0]?.age as number;
    await world.clock.advance(HOUR);
    expect(age()).toBeLessThanOrEqual(WINDOW / SECOND / 2);
    world.isAway = true;
    await world.clock.advance(HOUR);
    expect(age()).toBeGreaterThan((HOUR - WINDOW) / SECOND);
    expect(age()).toBeLessThanOrEqual(HOUR / SECOND + WINDOW / SECOND / 2);
  });

  it("that changed is not confirmed by a poll before it is here", async () => {
    const { world, host } = await start();
    world.tamper = (path, response) =>
      /manifest/.test(path) ? new Response("no", { status: 503 }) : response;
    await world.publishHere(DOMAIN, people(21));
    await world.clock.advance(HOUR);
    expect(host.replica.states()).toMatchObject([{ generation: 1 }]);
    expect(host.replica.states()[0]?.age).toBeGreaterThan((HOUR - WINDOW) / SECOND);
  });

  it("is fetched no further once the bridge ends", async () => {
    const { world, host } = await start();
    world.tamper = async (path, response) => {
      if (path.includes("/shards/")) await world.clock.sleep(SECOND);
      return response;
    };
    await world.publishHere(DOMAIN, people(400), { exactBits: 5 });
    while (!world.requests.some((request) => request.includes("/shards/")))
      await world.clock.advance(SECOND / 10);
    const before = world.requests.length;
    host.replica.stop();
    await world.clock.advance(MINUTE);
    expect(world.requests.slice(before)).toEqual([]);
    expect(host.count("syncFailed")).toBe(0);
  });
});
