/* A replica whose process is replaced: until the old one has ended, which takes a minute and more with many connections, it
 * has the folder. */
import { beforeEach, describe, expect, it } from "vitest";
import { SECOND, WINDOW } from "../../../testing/world.ts";
import { AskedHost, ReplicaWorld } from "./support-world.ts";

const DOMAIN = "a.example";

let world: ReplicaWorld;
let old: AskedHost;
let next: AskedHost;

const publish = (...names: string[]): Promise<number> => world.publishHere(DOMAIN, names, { force: true });
const said = (host: AskedHost, local: string): Promise<string> => host.said(`${local}@${DOMAIN}`);

/** The old process ends, and the new one finds that the folder is free. */
async function end(): Promise<void> {
  old.host.kill();
  next.host.isFolderBusy = false;
  await world.clock.advance(WINDOW);
}

beforeEach(async () => {
  world = new ReplicaWorld();
  await publish("alice", "leaver");
  old = await AskedHost.start(world);
  next = await AskedHost.start(world, { disk: old.host.disk, isFolderBusy: true });
});

describe("a process that waits for the folder of the one that it replaces", () => {
  it("follows the log, keeps what is new in memory, and writes it when the folder is free", async () => {
    old.host.network = () => Promise.reject(new TypeError("fetch failed"));
    await publish("alice", "newcomer");
    await world.clock.advance(75 * SECOND);
    expect([await said(next, "newcomer"), await said(old, "newcomer")]).toEqual(["250 replica", "451 none"]);
    await end();
    world.isAway = true;
    await next.restart();
    expect([await said(next, "alice"), await said(next, "newcomer")]).toEqual(["250 replica", "250 replica"]);
  });

  it("goes by what the other one heard meanwhile once the folder is its own, and keeps it there", async () => {
    // The edge is away for the new one. The old one hears of a newer list, and that somebody is not on it.
    next.host.network = () => Promise.reject(new TypeError("fetch failed"));
    world.tamper = (path, response) => (path === "/v1/rcpt" ? response : new Response("no", { status: 503 }));
    await world.clock.advance(WINDOW + 5 * SECOND);
    await publish("alice", "newcomer");
    await world.clock.advance(WINDOW);
    expect([await said(old, "newcomer"), await said(old, "leaver")]).toEqual(["250 edge", "450 edge"]);
    expect(await said(next, "leaver")).toBe("250 replica");
    await end();
    expect([await said(next, "leaver"), await said(next, "alice")]).toEqual(["451 none", "451 none"]);
    await next.restart();
    expect([await said(next, "leaver"), await said(next, "alice")]).toEqual(["451 none", "451 none"]);
  });

  it("takes no later log back that the other one wrote", async () => {
    // It has heard of the second list, and the old one of the third.
    await publish("alice", "leaver", "second");
    await world.clock.advance(WINDOW);
    next.host.network = () => Promise.reject(new TypeError("fetch failed"));
    const third = await publish("alice");
    await world.clock.advance(WINDOW);
    await end();
    expect(next.host.replica.heard(DOMAIN)).toMatchObject({ generation: third });
    await next.restart();
    expect(next.host.replica.heard(DOMAIN)).toMatchObject({ generation: third });
  });
});
