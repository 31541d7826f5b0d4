/* Whom a replica accepts without the edge although it has heard of something newer, and for how long. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ReaderHost } from "../../../src/bridge/replica/reader-host.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { answerOf } from "../support/answers.ts";
import { AskedHost, type HostOptions, ReplicaWorld } from "./support-world.ts";

const DOMAIN = "a.example";

let world: ReplicaWorld;
let at: AskedHost;
/** Whether polls and fetches fail, though the edge answers about recipients. */
let isDeaf = false;

const publish = (...names: string[]): Promise<number> => world.publishHere(DOMAIN, names, { force: true });
const said = (local: string): Promise<string> => at.said(`${local}@${DOMAIN}`);
const begin = async (options: HostOptions = {}): Promise<void> => {
  at = await AskedHost.start(world, options);
};

beforeEach(async () => {
  isDeaf = false;
  world = new ReplicaWorld();
  world.tamper = (path, response) =>
    isDeaf && path !== "/v1/rcpt" ? new Response("no", { status: 503 }) : response;
  await publish("alice", "bob", "leaver");
});

/** Polls fail, the list changes, and one answer of the edge shows the newer number. */
async function hearNewer(): Promise<void> {
  await world.clock.advance(WINDOW);
  isDeaf = true;
  await world.clock.advance(WINDOW + 5 * SECOND);
  await publish("alice", "bob", "newcomer");
  await world.clock.advance(WINDOW);
  expect(await said("newcomer")).toBe("250 edge");
}

describe("a replica whose polls fail, and that heard of a newer list from the edge", () => {
  beforeEach(() => begin());

  it("accepts from the list that it has while the edge is away, and nobody of whom the edge said otherwise", async () => {
    await hearNewer();
    // They are asked for at the edge as long as that answers.
    expect(await said("alice")).toBe("250 edge");
    expect(await said("leaver")).toBe("450 edge");
    expect(await said("nobody")).toBe("550 edge");
    await world.clock.advance(WINDOW + 5 * SECOND);
    world.isAway = true;
    expect([await said("bob"), await said("leaver"), await said("nobody")]).toEqual([
      "250 replica",
      "451 none",
      "451 none",
    ]);
  });

  it("does so for a day from its last confirmation", async () => {
    await hearNewer();
    world.isAway = true;
    await world.clock.advance(DAY - 2 * WINDOW - 30 * SECOND);
    expect(await said("bob")).toBe("250 replica");
    await world.clock.advance(30 * SECOND);
    expect(await said("bob")).toBe("451 none");
  });

  it("accepts nobody from a list that the one on its disk has replaced, while the disk cannot be read", async () => {
    expect([await said("leaver"), await said("bob")]).toEqual(["250 replica", "250 replica"]);
    await publish("alice", "bob");
    await world.clock.advance(WINDOW + 5 * SECOND);
    at.host.disk.fault = "unreadable";
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect([await said("leaver"), await said("bob")]).toEqual(["451 none", "451 none"]);
    at.host.disk.fault = null;
    await world.clock.advance(MINUTE);
    expect([await said("leaver"), await said("bob")]).toEqual(["451 none", "250 replica"]);
  });

  it("goes on after a restart from the list on its disk, though a newer one was in memory alone", async () => {
    // It has room for the log, and none for the list.
    const { disk } = at.host;
    const write = disk.write.bind(disk);
    disk.write = (path, bytes) =>
      path.startsWith("manifests/") ? Promise.reject(new Error("the disk is full")) : write(path, bytes);
    await publish("alice", "bob", "newcomer");
    await world.clock.advance(WINDOW + 5 * SECOND);
    expect(await said("newcomer")).toBe("250 replica");
    world.isAway = true;
    await at.restart();
    expect(await said("bob")).toBe("250 replica");
  });

  it("accepts again whom the edge accepts again", async () => {
    await hearNewer();
    expect(await said("leaver")).toBe("450 edge");
    await publish("alice", "leaver");
    await world.clock.advance(WINDOW + 5 * SECOND);
    expect(await said("leaver")).toBe("250 edge");
    world.isAway = true;
    expect(await said("leaver")).toBe("250 replica");
  });

  it("defers after a restart, since it does not know any more of whom the edge said otherwise", async () => {
    await hearNewer();
    await said("leaver");
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await at.restart();
    for (const local of ["bob", "leaver", "newcomer"]) expect(await said(local)).toBe("451 none");
    world.isAway = false;
    isDeaf = false;
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await world.clock.advance(HOUR);
    expect([await said("bob"), await said("leaver"), await said("newcomer")]).toEqual([
      "250 replica",
      "451 none",
      "250 replica",
    ]);
    await at.restart();
    expect(await said("bob")).toBe("250 replica");
  });
});

describe("a list that is fetched so slowly that the log has gone on when it is here", () => {
  let heardAt = 0;
  /** The manifest of the second list comes after 25 s, and no later one. */
  const slowly = (): void => {
    let [polledAt, fetches] = [0, 0];
    world.tamper = async (path, response) => {
      if (path === "/v1/changes") polledAt = world.clock.now();
      if (!path.includes("manifest")) return response;
      if (++fetches > 1) return new Response("no", { status: 503 });
      heardAt = polledAt;
      await world.clock.sleep(25 * SECOND);
      return response;
    };
  };
  const until = (time: number): Promise<void> => world.clock.advance(time - world.clock.now());

  it("was the newest when the log still ended with it: accepts from it end that early", async () => {
    await begin({ acceptGrace: MINUTE });
    slowly();
    await publish("alice", "bob", "newcomer");
    await world.clock.advance(WINDOW / 2);
    await publish("alice", "bob", "newcomer", "latest");
    await until(heardAt + 26 * SECOND);
    expect(at.host.lists.heard(DOMAIN)?.generation).toBe(3);
    world.isAway = true;
    await until(heardAt + 55 * SECOND);
    expect(await said("newcomer")).toBe("250 replica");
    await until(heardAt + 65 * SECOND);
    expect(await said("newcomer")).toBe("451 none");
  });

  it("accepts nobody of whom the edge said otherwise by a newer one, though the list before did not accept him", async () => {
    await begin();
    slowly();
    await publish("alice", "bob", "newcomer");
    await world.clock.advance(WINDOW / 2);
    await publish("alice", "bob");
    expect([await said("newcomer"), await said("bob")]).toEqual(["450 edge", "250 edge"]);
    await until(heardAt + 26 * SECOND);
    world.isAway = true;
    expect([await said("newcomer"), await said("alice")]).toEqual(["451 none", "250 replica"]);
  });
});

describe("what the edge said of a newer list", () => {
  const FILE = "seen";

  it("is stored once there is room again, if neither the disk nor memory had any", async () => {
    await begin({ maxUnwritten: 0 });
    await world.clock.advance(WINDOW);
    at.host.disk.fault = "full";
    await hearNewer();
    expect(at.host.disk.files.has(FILE)).toBe(false);
    expect(at.host.events.filter(([event]) => event === "failed").length).toBeGreaterThan(0);
    at.host.disk.fault = null;
    await world.clock.advance(WINDOW);
    expect(at.host.disk.files.has(FILE)).toBe(true);
    world.isAway = true;
    await at.restart();
    expect(at.host.lists.heard(DOMAIN)?.generation).toBe(2);
  });

  it("is stored in the order in which it was said, on a disk that takes as long as it likes", async () => {
    await begin();
    const write = at.host.disk.write.bind(at.host.disk);
    let isFirst = true;
    at.host.disk.write = async (path, bytes) => {
      const isSlow = path === FILE && isFirst;
      isFirst &&= !isSlow;
      if (isSlow) await world.clock.sleep(10 * SECOND);
      await write(path, bytes);
    };
    const incarnation = at.host.lists.heard(DOMAIN)?.incarnation as number;
    for (const generation of [50, 51]) {
      const recipient = `newcomer@${DOMAIN}`;
      at.host.lists.learn(recipient, DOMAIN, answerOf(recipient, "deliverable", { generation, incarnation }));
    }
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await at.restart();
    expect(at.host.lists.heard(DOMAIN)).toEqual({ incarnation, generation: 51 });
  });
});

describe("whom the edge does not accept in a newer list", () => {
  it("takes no room if the list here does not accept them either, so that a flood of them ends no accepts", async () => {
    await begin();
    const incarnation = at.host.lists.heard(DOMAIN)?.incarnation as number;
    const learn = (local: string): void => {
      const recipient = `${local}@${DOMAIN}`;
      at.host.lists.learn(recipient, DOMAIN, answerOf(recipient, "unknown", { generation: 50, incarnation }));
    };
    learn("leaver");
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 101; j++) learn(`nobody-${i}-${j}`);
      await world.clock.advance(1);
    }
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect([await said("bob"), await said("leaver")]).toEqual(["250 replica", "451 none"]);
  });

  it("is remembered if nobody can say what the list here has of them, and why is said", async () => {
    await begin();
    const incarnation = at.host.lists.heard(DOMAIN)?.incarnation as number;
    const broken = new Error("the reader is broken");
    const check = vi.spyOn(ReaderHost.prototype, "check").mockRejectedValue(broken);
    const answer = answerOf(`bob@${DOMAIN}`, "unknown", { generation: 50, incarnation });
    at.host.lists.learn(`bob@${DOMAIN}`, DOMAIN, answer);
    await world.clock.advance(1);
    check.mockRestore();
    expect(at.host.events.filter(([event]) => event === "failed")).toEqual([["failed", broken]]);
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect([await said("alice"), await said("bob")]).toEqual(["250 replica", "451 none"]);
  });

  it("is not accepted from it either after a new log began whose list cannot be fetched", async () => {
    await begin();
    await hearNewer();
    expect(await said("leaver")).toBe("450 edge");
    world.loseRegistry();
    world.tamper = (path, response) =>
      /manifest/.test(path) ? new Response("no", { status: 503 }) : response;
    await world.publish(world.edge, DOMAIN, ["alice", "bob"], { expect: null });
    await world.clock.advance(WINDOW);
    expect(at.host.lists.heard(DOMAIN)?.generation).toBe(1);
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect([await said("bob"), await said("leaver")]).toEqual(["250 replica", "451 none"]);
  });
});

describe("a replica that has heard of a newer list in the log, and cannot fetch it", () => {
  beforeEach(async () => {
    await begin();
    world.tamper = (path, response) =>
      /manifest|blobs|shards/.test(path) ? new Response("no", { status: 503 }) : response;
    await publish("alice", "bob", "newcomer");
    await world.clock.advance(WINDOW);
  });

  it("accepts from the older one without the edge, for a day, also after a restart", async () => {
    world.isAway = true;
    expect(await said("bob")).toBe("250 replica");
    await at.restart();
    expect(await said("bob")).toBe("250 replica");
    await world.clock.advance(DAY - WINDOW - MINUTE);
    expect(await said("bob")).toBe("250 replica");
    await world.clock.advance(2 * MINUTE);
    expect(await said("bob")).toBe("451 none");
    await at.restart();
    expect(await said("bob")).toBe("451 none");
  });

  it("asks the edge first, also while polls fail", async () => {
    world.tamper = (path, response) => (path === "/v1/rcpt" ? response : new Response("no", { status: 503 }));
    await world.clock.advance(WINDOW + 5 * SECOND);
    expect(await said("leaver")).toBe("450 edge");
    expect(await said("bob")).toBe("250 edge");
  });
});
