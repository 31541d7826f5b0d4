/* Parts that a replica finds missing: damage is reported, and what happens every day is not. */
import { beforeEach, describe, expect, it } from "vitest";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { ReplicaWorld, saidBy } from "./support-world.ts";

const DOMAIN = "a.example";
const NAMES = Array.from({ length: 60 }, (_, i) => `user${i}`);

let world: ReplicaWorld;
let host: ReplicaHost;

const publish = (names: readonly string[]): Promise<number> =>
  world.publishHere(DOMAIN, names, { exactBits: 2, force: true });
const reported = (): unknown[][] =>
  host.events.filter(([event]) => event === "missing").map(([, ...it]) => it);
const paths = (kind: string): string[] => [...host.disk.files.keys()].filter((path) => path.startsWith(kind));

/** Asks about names of every shard every few milliseconds, as mail does. */
async function askFor(ms: number): Promise<void> {
  for (const end = world.clock.now() + ms; world.clock.now() < end; ) {
    for (const name of NAMES.slice(0, 12)) if (host.isRunning) await host.check(`${name}@${DOMAIN}`);
    await world.clock.advance(1 + (world.clock.now() % 7));
  }
}

beforeEach(async () => {
  world = new ReplicaWorld();
  await publish(NAMES);
  host = await world.host();
});

describe("nothing is reported as missing", () => {
  it.each([0, 3, 12])("at a first start, on a disk that takes %s ms", async (slow) => {
    if (slow > 0) host.disk.wait = () => world.clock.sleep(slow);
    void host.start();
    await askFor(2 * SECOND);
    expect(reported()).toEqual([]);
    expect(await saidBy(host, `user1@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it.each([0, 3, 12])("at a start after the list changed, on a disk that takes %s ms", async (slow) => {
    await host.start();
    await askFor(2 * SECOND);
    host.kill();
    await publish(NAMES.slice(0, 50));
    if (slow > 0) host.disk.wait = () => world.clock.sleep(slow);
    void host.start();
    await askFor(2 * SECOND);
    expect(reported()).toEqual([]);
  });

  it.each([0, 3, 12])("while a list changes, on a disk that takes %s ms", async (slow) => {
    await host.start();
    await askFor(2 * SECOND);
    if (slow > 0) host.disk.wait = () => world.clock.sleep(slow);
    for (const count of [50, 40]) {
      await publish(NAMES.slice(0, count));
      await askFor(16 * SECOND);
    }
    expect(reported()).toEqual([]);
    expect(await saidBy(host, `user1@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it("after a start in the middle of a first fetch", async () => {
    for (let operation = 12; operation < 40; operation += 3) {
      host = await world.host();
      host.disk.diesBefore = operation;
      host.disk.died = () => host.kill();
      void host.start();
      await world.clock.advance(2 * SECOND);
      host.kill();
      host.disk.losePower(() => 1);
      await host.start();
      await askFor(SECOND);
      expect(paths("manifests/")).toHaveLength(1);
      expect(reported(), `${operation}`).toEqual([]);
      host.kill();
    }
  });
});

describe("damage is reported once, and repaired", () => {
  beforeEach(async () => {
    await host.start();
    await world.clock.advance(2 * SECOND);
  });

  it.each(["blobs/", "manifests/"])("of a file of %s that is gone at a start", async (kind) => {
    host.kill();
    host.disk.files.delete(paths(kind)[0] as string);
    await host.start();
    await askFor(2 * SECOND);
    expect(reported()).toHaveLength(kind === "blobs/" ? 1 : 0);
    expect(await saidBy(host, `user1@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it.each(["blobs/", "manifests/"])("of a file of %s with a bit flipped", async (kind) => {
    host.kill();
    host.disk.flip(paths(kind)[0] as string, 400);
    await host.start();
    await askFor(2 * SECOND);
    expect(reported()).toHaveLength(1);
    for (const name of NAMES) expect(await saidBy(host, `${name}@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it("of a blob that is gone right after it was fetched, a second later", async () => {
    await publish(NAMES.slice(0, 30));
    const ready = host.count("ready");
    while (host.count("ready") === ready) await world.clock.advance(SECOND / 10);
    const before = world.requests.length;
    for (const path of paths("blobs/")) host.disk.files.delete(path);
    await askFor(SECOND / 2);
    expect(world.requests.length).toBe(before);
    await askFor(SECOND);
    expect(world.requests.length).toBeGreaterThan(before);
    expect(paths("blobs/").length).toBeGreaterThanOrEqual(4);
    expect(reported()).toHaveLength(1);
  });

  it("of a blob that is gone while it runs", async () => {
    host.disk.files.delete(paths("blobs/")[0] as string);
    await askFor(MINUTE);
    expect(reported()).toEqual([[DOMAIN, expect.stringMatching(/^blob [0-9a-f]{64}$/)]]);
    expect(paths("blobs/")).toHaveLength(4);
  });
});

describe("a folder that is deleted while the bridge runs", () => {
  const OTHER = "b.example";
  const deleteFolder = (): void => {
    host.disk.files.clear();
    host.isFolderLost = true;
  };

  beforeEach(async () => {
    await world.publishHere(OTHER, ["bob"]);
    host = await world.host({ domains: [DOMAIN, OTHER] });
    await host.start();
    await world.clock.advance(2 * SECOND);
    // All of it is in memory.
    await askFor(SECOND);
    expect(await saidBy(host, `bob@${OTHER}`)).toBe("deliverable confirmed");
  });

  it("is whole again within a window, though nothing changes, and the loss is reported", async () => {
    const before = [...host.disk.files.keys()].sort();
    deleteFolder();
    await world.clock.advance(WINDOW);
    expect([...host.disk.files.keys()].sort()).toEqual(before);
    expect(reported().map(([domain]) => domain)).toEqual(expect.arrayContaining([DOMAIN, OTHER]));
    const count = reported().length;
    await world.clock.advance(5 * MINUTE);
    expect(reported()).toHaveLength(count);
    host.kill();
    world.isAway = true;
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(await saidBy(host, `bob@${OTHER}`)).toBe("deliverable");
  });

  it("knows the log at once also while the edge is away, and has the lists once it is back", async () => {
    world.isAway = true;
    await world.clock.advance(MINUTE);
    deleteFolder();
    await world.clock.advance(MINUTE);
    expect(paths("logs/")).toEqual(["logs/0"]);
    host.kill();
    await host.start();
    expect(host.lists.heard(OTHER)?.generation).toBe(world.headOf(OTHER)?.generation);
    world.isAway = false;
    await world.clock.advance(WINDOW);
    expect(paths("manifests/")).toHaveLength(2);
  });
});
