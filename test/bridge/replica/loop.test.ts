/* What a replica makes of its polls: of several partitions, of another token, of another window, and over its starts. */
import { describe, expect, it } from "vitest";
import { seal, unseal } from "../../../src/bridge/replica/sealed.ts";
import type { StoredTime } from "../../../src/bridge/replica/store.ts";
import { stablelibHashing } from "../../../src/directory/stablelib.ts";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { HOUR, MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { bridgeOf, type HostOptions, ReplicaWorld, saidBy } from "./support-world.ts";

const DOMAIN = "a.example";
const OTHER = "b.example";

const filesOf = (host: ReplicaHost, domain: string): string[] =>
  [...host.disk.files.keys()].filter((path) => path.includes(`/${domain}`));
const stored = (host: ReplicaHost): string[] => host.replica.states().map(({ domain }) => domain);

async function restart(host: ReplicaHost): Promise<void> {
  host.kill();
  await host.start();
}

describe("a replica of two partitions", () => {
  /** Two domains of different partitions, and a host whose polls of the second one can be cut off. */
  async function start(options: HostOptions = {}) {
    const world = new ReplicaWorld({ partitions: 2 });
    const names = Array.from({ length: 20 }, (_, i) => `d${i}.example`);
    const [first, second] = [0, 1].map(
      (it) => names.find((name) => world.partitionOf(name) === it) as string,
    ) as [string, string];
    for (const domain of [first, second]) await world.publishHere(domain, ["alice"]);
    const host = await world.host({ domains: [first, second], ...options });
    const { network } = host;
    const cut = { isCut: false };
    host.network = async (request) => {
      const isPoll = new URL(request.url).pathname === "/v1/changes";
      const { partition } = isPoll
        ? ((await request.clone().json()) as { partition: number })
        : { partition: 0 };
      if (cut.isCut && partition === 1) throw new TypeError("fetch failed");
      return network(request);
    };
    await host.start();
    await world.clock.advance(MINUTE);
    return { world, host, first, second, cut };
  }

  it("removes nothing before each of them has answered", async () => {
    const { world, host, second, cut } = await start();
    const before = filesOf(host, second);
    cut.isCut = true;
    host.kill();
    host.disk.files.delete("logs/1");
    await host.start();
    await world.clock.advance(MINUTE);
    expect(filesOf(host, second)).toEqual(before);
    cut.isCut = false;
    await world.clock.advance(MINUTE);
    expect(await saidBy(host, `alice@${second}`)).toBe("deliverable confirmed");
  });

  it("counts accept-grace of one by its own contact, also when the other names another window", async () => {
    const { world, host, first, second, cut } = await start({ acceptGrace: HOUR });
    cut.isCut = true;
    await world.clock.advance(HOUR / 2);
    world.edge = world.isolate("here", { window: 20 * SECOND });
    await world.clock.advance(HOUR / 2 - 2 * MINUTE);
    expect(await saidBy(host, `alice@${second}`)).toBe("deliverable");
    await world.clock.advance(3 * MINUTE);
    expect(await saidBy(host, `alice@${second}`)).toBe("edge");
    expect(await saidBy(host, `alice@${first}`)).toBe("deliverable confirmed");
  });

  it("counts it so over starts, of which each stores the time again", async () => {
    const { world, host, first, second, cut } = await start({ acceptGrace: HOUR });
    cut.isCut = true;
    for (let i = 0; i < 4; i++) {
      await world.clock.advance(14 * MINUTE);
      expect(await saidBy(host, `alice@${second}`)).toBe("deliverable");
      await restart(host);
    }
    await world.clock.advance(5 * MINUTE);
    expect(await saidBy(host, `alice@${second}`)).toBe("edge");
    expect(await saidBy(host, `alice@${first}`)).toBe("deliverable confirmed");
  });
});

/** A host that holds both domains, and has ended. */
async function wide(world: ReplicaWorld): Promise<ReplicaHost> {
  const host = await world.host({ domains: [DOMAIN, OTHER] });
  await host.start();
  await world.clock.advance(MINUTE);
  host.kill();
  return host;
}

describe("a token that covers other domains", () => {
  async function start(domains: readonly string[]) {
    const world = new ReplicaWorld();
    for (const domain of [DOMAIN, OTHER]) await world.publishHere(domain, ["alice"]);
    const host = await world.host({ domains });
    await host.start();
    await world.clock.advance(MINUTE);
    return { world, host };
  }

  it("has the lists of the others removed, and the log stored without them, though nothing changed", async () => {
    const { world, host } = await start([DOMAIN, OTHER]);
    host.useToken(await world.token([DOMAIN]));
    await world.clock.advance(WINDOW);
    expect(filesOf(host, OTHER)).toEqual([]);
    expect(stored(host)).toEqual([DOMAIN]);
    world.isAway = true;
    await restart(host);
    expect(stored(host)).toEqual([DOMAIN]);
    expect(host.count("unusable")).toBe(0);
    expect(await saidBy(host, `alice@${DOMAIN}`)).toBe("deliverable");
    expect(host.lists.heard(OTHER)?.generation).toBe(0);
  });

  it("asks for all of it, also if an answer to the token before is still on its way", async () => {
    const { world, host } = await start([DOMAIN]);
    let polls = 0;
    world.tamper = async (path, response) => {
      if (path === "/v1/changes" && polls++ === 0) await world.clock.sleep(3 * SECOND);
      return response;
    };
    while (polls === 0) await world.clock.advance(SECOND);
    host.useToken(await world.token([DOMAIN, OTHER]));
    await world.clock.advance(MINUTE);
    expect(await saidBy(host, `alice@${OTHER}`)).toBe("deliverable confirmed");
  });

  it("holds those of its scope only, over starts", async () => {
    const { world } = await start([DOMAIN]);
    const host = await world.host({ domains: [DOMAIN, OTHER], scope: [DOMAIN] });
    await host.start();
    await world.clock.advance(MINUTE);
    expect(stored(host)).toEqual([DOMAIN]);
    await restart(host);
    expect(stored(host)).toEqual([DOMAIN]);
    expect(filesOf(host, OTHER)).toEqual([]);
    // A scope that became narrower counts at once.
    const { disk } = await wide(world);
    world.isAway = true;
    const narrow = await world.host({ domains: [DOMAIN, OTHER], scope: [DOMAIN], disk });
    await narrow.start();
    expect(stored(narrow)).toEqual([DOMAIN]);
  });

  it("counts nothing of the old token's domains for the new one, whose edge would refuse it", async () => {
    const { world, host } = await start([DOMAIN, OTHER]);
    const bodies: { counts?: unknown[] }[] = [];
    const { network } = host;
    host.network = async (request) => {
      if (request.url.endsWith("/v1/changes"))
        bodies.push((await request.clone().json()) as { counts?: unknown[] });
      return network(request);
    };
    const bridge = bridgeOf(world, host);
    await world.clock.run(Promise.resolve(bridge.resolve(`alice@${OTHER}`)));
    host.useToken(await world.token([DOMAIN]));
    await world.clock.advance(WINDOW);
    expect(bodies.length).toBeGreaterThan(1);
    expect(bodies.flatMap(({ counts = [] }) => counts)).toEqual([]);
  });

  it("asks again at once about what is away, and not before its pause is over", async () => {
    const { world, host } = await start([DOMAIN]);
    world.isAway = true;
    await world.clock.advance(5 * MINUTE);
    expect(host.lists.isAway(DOMAIN)).toBe(true);
    host.useToken(await world.token([DOMAIN, OTHER]));
    expect(host.lists.isAway(DOMAIN)).toBe(false);
  });
});

describe("a stored time", () => {
  it("is of the log that it names: a contact with an older one is none with the present one", async () => {
    const world = new ReplicaWorld();
    await world.publishHere(DOMAIN, ["alice"]);
    const host = await world.host({ acceptGrace: HOUR });
    await host.start();
    // The list itself is a contact from when it was made.
    await world.clock.advance(2 * HOUR);
    host.kill();
    const path = "time";
    const bytes = host.disk.files.get(path) as Uint8Array;
    const time = unseal(stablelibHashing, path, bytes) as StoredTime;
    const contacts = time.contacts.map((it) => it && ([it[0] - 1, it[1]] as const));
    host.disk.files.set(path, seal(stablelibHashing, path, { ...time, contacts }));
    world.isAway = true;
    await host.start();
    expect(await saidBy(host, `alice@${DOMAIN}`)).toBe("edge");
    expect(host.lists.heard(DOMAIN)).toEqual({ incarnation: time.contacts[0]?.[0], generation: 1 });
  });
});
