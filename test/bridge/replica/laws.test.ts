import { beforeEach, describe, expect, it } from "vitest";
import { ofNextRelease } from "../../../testing/releases.ts";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW } from "../../../testing/world.ts";
import { ReplicaWorld, saidBy } from "./support-world.ts";

const DOMAIN = "a.example";
const ALICE = `alice@${DOMAIN}`;
const NOBODY = `nobody@${DOMAIN}`;

let world: ReplicaWorld;
let host: ReplicaHost;

beforeEach(async () => {
  world = new ReplicaWorld();
  await publish("alice", "bob", "carol");
  host = await world.host();
  await host.start();
  await world.clock.advance(2 * SECOND);
});

const publish = (...names: string[]): Promise<number> => world.publishHere(DOMAIN, names);
const restart = async (): Promise<void> => {
  host.kill();
  await host.start();
};
const said = (recipient: string): Promise<string> => saidBy(host, recipient);

describe("a replica", () => {
  it("accepts and refuses from its list", async () => {
    expect(await said(ALICE)).toBe("deliverable confirmed");
    expect(await said(NOBODY)).toBe("unknown confirmed");
  });

  it("polls every half window whatever is asked, and a check sends nothing", async () => {
    const before = world.requests.length;
    for (let minute = 0; minute < 10; minute++) {
      for (let i = 0; i < 100; i++) expect(await said(`n${minute}-${i}@${DOMAIN}`)).toBe("unknown confirmed");
      await world.clock.advance(MINUTE);
    }
    // A poll each 12 to 15 s.
    const requests = world.requests.slice(before);
    expect(new Set(requests)).toEqual(new Set(["POST /v1/changes"]));
    expect(requests.length).toBeGreaterThanOrEqual(40);
    expect(requests.length).toBeLessThanOrEqual(50);
  });

  it("refuses until a window after the last answer was asked for, and not a moment longer", async () => {
    world.isAway = true;
    await world.clock.advance(WINDOW - 3 * SECOND);
    expect(await said(NOBODY)).toBe("unknown confirmed");
    await world.clock.advance(3 * SECOND);
    expect(await said(NOBODY)).toBe("edge");
    expect(await said(ALICE)).toBe("deliverable");
    world.isAway = false;
    await world.clock.advance(WINDOW / 2);
    expect(await said(NOBODY)).toBe("unknown confirmed");
  });

  it("counts the window from before the question, however late the answer is", async () => {
    let askedAt = 0;
    world.tamper = async (path, response) => {
      if (path !== "/v1/changes") return response;
      askedAt = world.clock.now();
      await world.clock.sleep(4 * SECOND);
      return response;
    };
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await world.clock.advance(askedAt + WINDOW - SECOND - world.clock.now());
    expect(await said(NOBODY)).toBe("unknown confirmed");
    await world.clock.advance(SECOND);
    expect(await said(NOBODY)).toBe("edge");
  });

  it("accepts for accept-grace while the Registry does not answer", async () => {
    host.kill();
    host = await world.host({ acceptGrace: 2 * HOUR });
    await host.start();
    await world.clock.advance(2 * SECOND);
    world.isAway = true;
    await world.clock.advance(2 * HOUR - MINUTE);
    expect(await said(ALICE)).toBe("deliverable");
    expect(await said(NOBODY)).toBe("edge");
    await world.clock.advance(MINUTE);
    expect(await said(ALICE)).toBe("edge");
  });

  it("accepts for accept-grace over reboots, and refuses within a window of the edge's return", async () => {
    world.isAway = true;
    for (let day = 0; day < 6; day++) {
      host.kill();
      await world.clock.advance(DAY - MINUTE);
      await host.start();
      await world.clock.advance(MINUTE);
      expect([day, await said(ALICE), await said(NOBODY)]).toEqual([day, "deliverable", "edge"]);
    }
    world.isAway = false;
    await world.clock.advance(WINDOW);
    expect(await said(NOBODY)).toBe("unknown confirmed");
    world.isAway = true;
    host.kill();
    await world.clock.advance(7 * DAY);
    await host.start();
    await world.clock.advance(MINUTE);
    expect(await said(ALICE)).toBe("edge");
  });

  it("answers nothing after a reboot with a clock before the one that was stored, until the edge answers", async () => {
    world.isAway = true;
    await world.clock.advance(MINUTE);
    host.kill();
    host.wallOffset = -DAY;
    await host.start();
    await world.clock.advance(MINUTE);
    expect(host.count("clockWentBack")).toBe(1);
    expect(await said(ALICE)).toBe("edge");
    host.kill();
    await host.start();
    expect(await said(ALICE)).toBe("edge");
    world.isAway = false;
    await world.clock.advance(WINDOW);
    expect(await said(ALICE)).toBe("deliverable confirmed");
    expect(await said(NOBODY)).toBe("unknown confirmed");
  });

  it("counts accept-grace from the last contact, also if its clock was behind the Registry's at the start", async () => {
    host.kill();
    host = await world.host({ acceptGrace: 2 * HOUR });
    await host.start();
    await world.clock.advance(2 * SECOND);
    host.kill();
    await world.clock.advance(HOUR);
    // The host's clock shows that only a moment has passed.
    host.wallOffset = SECOND - HOUR;
    await host.start();
    await publish("alice", "bob", "carol", "dave");
    await world.clock.advance(WINDOW);
    expect(await said(ALICE)).toBe("deliverable confirmed");
    world.isAway = true;
    await world.clock.advance(2 * HOUR - MINUTE);
    expect(await said(ALICE)).toBe("deliverable");
    await world.clock.advance(MINUTE);
    expect(await said(ALICE)).toBe("edge");
  });

  it("takes one answer as contact at its start, however far its clock was behind", async () => {
    host.kill();
    host = await world.host({ acceptGrace: HOUR });
    await host.start();
    await world.clock.advance(2 * SECOND);
    host.kill();
    await world.clock.advance(2 * HOUR);
    // The host's clock shows that only a moment has passed.
    host.wallOffset = SECOND - 2 * HOUR;
    let polls = 0;
    world.tamper = (path, response) => {
      if (path === "/v1/changes" && polls++ > 0) throw new TypeError("fetch failed");
      return response;
    };
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(await said(NOBODY)).toBe("unknown confirmed");
    await world.clock.advance(HOUR - MINUTE);
    expect(await said(ALICE)).toBe("deliverable");
    await world.clock.advance(MINUTE);
    expect(await said(ALICE)).toBe("edge");
  });

  it("counts a reboot with a clock that was set forward as that much silence", async () => {
    world.isAway = true;
    host.kill();
    host.wallOffset = 8 * DAY;
    await host.start();
    await world.clock.advance(MINUTE);
    expect(await said(ALICE)).toBe("edge");
    world.isAway = false;
    await world.clock.advance(WINDOW);
    expect(await said(ALICE)).toBe("deliverable confirmed");
  });

  describe("in an outage, on a host that says for how long it has been up", () => {
    const GRACE = 4 * HOUR;

    beforeEach(async () => {
      host.kill();
      host = await world.host({ acceptGrace: GRACE });
      host.boot = "a boot";
      await host.start();
      await world.clock.advance(MINUTE);
      world.isAway = true;
      await world.clock.advance(MINUTE);
    });

    it("accepts by its list for accept-grace after the clock was set forward by more than that", async () => {
      host.wallOffset += 8 * DAY;
      await world.clock.advance(2 * HOUR);
      expect(await said(ALICE)).toBe("deliverable");
      expect(await said(NOBODY)).toBe("edge");
      // Also over a restart of the bridge, and after the clock was corrected, which counts as an hour.
      await restart();
      expect(await said(ALICE)).toBe("deliverable");
      host.wallOffset -= 8 * DAY;
      await world.clock.advance(50 * MINUTE);
      expect(await said(ALICE)).toBe("deliverable");
      await world.clock.advance(20 * MINUTE);
      expect(await said(ALICE)).toBe("edge");
    });

    it.each([8 * DAY, -8 * DAY])(
      "does so if the clock is set by %s ms while the bridge starts again",
      async (by) => {
        host.kill();
        await world.clock.advance(HOUR);
        host.wallOffset += by;
        await host.start();
        await world.clock.advance(SECOND);
        expect(await said(ALICE)).toBe("deliverable");
        expect(await said(NOBODY)).toBe("edge");
        await world.clock.advance(GRACE - HOUR - 5 * MINUTE);
        expect(await said(ALICE)).toBe("deliverable");
        await world.clock.advance(5 * MINUTE);
        expect(await said(ALICE)).toBe("edge");
      },
    );

    it("counts its sleep, with a clock that is right and with one that was set forward meanwhile", async () => {
      await host.sleep(1.5 * HOUR);
      expect(await said(ALICE)).toBe("deliverable");
      host.fallAsleep();
      host.wallOffset += 8 * DAY;
      await world.clock.advance(2 * HOUR);
      host.wake();
      expect(await said(ALICE)).toBe("deliverable");
      await world.clock.advance(0.5 * HOUR);
      expect(await said(ALICE)).toBe("edge");
    });

    it("counts a contact after the clock was set forward from then on", async () => {
      host.wallOffset += 8 * DAY;
      expect(await said(ALICE)).toBe("deliverable");
      world.isAway = false;
      await world.clock.advance(WINDOW);
      expect(await said(NOBODY)).toBe("unknown confirmed");
      world.isAway = true;
      await world.clock.advance(GRACE - 5 * MINUTE);
      expect(await said(ALICE)).toBe("deliverable");
      await world.clock.advance(5 * MINUTE);
      expect(await said(ALICE)).toBe("edge");
    });

    it("knows nothing of the time over a start of the host with a clock that is wrong", async () => {
      host.kill();
      host.boot = "the next boot";
      host.wallOffset += 8 * DAY;
      await host.start();
      expect(await said(ALICE)).toBe("edge");
    });
  });

  it.each([
    ["forward", DAY],
    ["back", -DAY],
  ])("confirms nothing after the clock was set %s by a day, until the next poll", async (_, by) => {
    expect(await said(NOBODY)).toBe("unknown confirmed");
    host.wallOffset += by;
    expect(await said(NOBODY)).toBe("edge");
    expect(await said(ALICE)).toBe("deliverable");
    await world.clock.advance(WINDOW / 2 + SECOND);
    expect(await said(NOBODY)).toBe("unknown confirmed");
  });

  it("confirms nothing after the host slept for a window, and defers a name that left for no shorter", async () => {
    await publish("alice", "bob");
    await world.clock.advance(WINDOW);
    expect(await said(NOBODY)).toBe("unknown confirmed");
    await host.sleep(HOUR - 2 * MINUTE);
    expect(await said(NOBODY)).toBe("edge");
    expect(await said(ALICE)).toBe("deliverable");
    await world.clock.advance(WINDOW);
    expect(await said(NOBODY)).toBe("unknown confirmed");
    expect(await said(`carol@${DOMAIN}`)).toBe("departed confirmed");
  });

  it("counts the sleep of the host as silence of the Registry", async () => {
    world.isAway = true;
    await host.sleep(7 * DAY);
    expect(await said(ALICE)).toBe("edge");
  });

  it("never refuses a name that is on the list again, or new, a window after its publish", async () => {
    await publish("alice", "bob", "carol", "dave");
    await world.clock.advance(WINDOW);
    expect(await said(`dave@${DOMAIN}`)).toBe("deliverable confirmed");
  });

  it("defers a name that left for the Registry's grace, whatever the host's clock shows", async () => {
    host.wallOffset = 30 * DAY;
    await world.clock.advance(WINDOW);
    await publish("alice", "bob");
    await world.clock.advance(WINDOW);
    const carol = `carol@${DOMAIN}`;
    expect(await said(carol)).toBe("departed confirmed");
    host.wallOffset += 10 * SECOND;
    expect(await said(carol)).toBe("departed confirmed");
    await world.clock.advance(HOUR - 2 * MINUTE);
    expect(await said(carol)).toBe("departed confirmed");
    host.wallOffset += 3 * MINUTE;
    await world.clock.advance(WINDOW);
    expect(await said(carol)).toBe("departed confirmed");
    await world.clock.advance(2 * MINUTE);
    expect(await said(carol)).toBe("unknown confirmed");
  });

  it("does not end a grace early because the host's clock was set forward by less than a window", async () => {
    await publish("alice", "bob");
    const until = world.clock.now() + HOUR;
    await world.clock.advance(until - world.clock.now() - 8 * SECOND);
    expect(await said(`carol@${DOMAIN}`)).toBe("departed confirmed");
    host.wallOffset += 10 * SECOND;
    expect(await said(NOBODY)).toBe("unknown confirmed");
    expect(await said(`carol@${DOMAIN}`)).toBe("departed confirmed");
  });

  it("polls every partition after a restart", async () => {
    world = new ReplicaWorld({ partitions: 3 });
    const domains = ["a.example", "b.example", "c.example", "d.example", "e.example", "f.example"];
    expect(new Set(domains.map((domain) => world.partitionOf(domain))).size).toBe(3);
    for (const domain of domains) await world.publishHere(domain, ["alice"]);
    host = await world.host({ domains });
    await host.start();
    await world.clock.advance(2 * SECOND);
    host.kill();
    await host.start();
    await world.clock.advance(2 * SECOND);
    for (const domain of domains) expect(await said(`nobody@${domain}`)).toBe("unknown confirmed");
  });

  it("understands an edge whose Registry is of the next release, and says more of each head", async () => {
    const replica = { token: null, domains: [DOMAIN], after: null };
    const question = { since: null, want: null, replica };
    const answer = await world.registry().core({ partition: 0, partitions: 1 }).question(question);
    world.registry().fault = ({ method }) =>
      method === "question" ? { kind: "replaced", answer: ofNextRelease(method, answer) } : undefined;
    host.kill();
    await host.start();
    await world.clock.advance(2 * SECOND);
    expect(await said(NOBODY)).toBe("unknown confirmed");
  });

  it("leaves a domain without a head, and one that was deleted, to the edge", async () => {
    expect(await said("x@other.example")).toBe("edge");
    await world.remove(world.edge, DOMAIN);
    await world.clock.advance(WINDOW);
    expect(await said(ALICE)).toBe("departed confirmed");
  });

  it("answers through an alias if its target is here, and leaves it to the edge if not", async () => {
    const alias = "alias.example";
    await world.publishHere(alias, [], { policy: { alias: DOMAIN }, force: true });
    const domains = [alias, DOMAIN];
    for (const [scope, expected] of [
      [domains, ["deliverable confirmed", "unknown confirmed"]],
      [[alias], ["edge", "edge"]],
    ] as const) {
      host.kill();
      host = await world.host({ domains, scope });
      await host.start();
      await world.clock.advance(WINDOW);
      expect([await said(`alice@${alias}`), await said(`nobody@${alias}`)]).toEqual(expected);
    }
  });

  it("accepts in observe mode what it would refuse", async () => {
    await world.publishHere(DOMAIN, ["alice", "bob", "carol"], { mode: "observe" });
    await world.clock.advance(WINDOW);
    expect(await host.check(NOBODY)).toMatchObject({ verdict: "unknown", action: "accept", mode: "observe" });
  });

  it("says of nobody who never left that they left, also before the Registry's time is known", async () => {
    await world.publishHere(DOMAIN, ["alice", "bob"], { mode: "observe" });
    await world.clock.advance(WINDOW);
    host.kill();
    world.isAway = true;
    await host.start();
    expect(await said(NOBODY)).toBe("unknown");
    expect(await said(`carol@${DOMAIN}`)).toBe("departed");
  });

  it("follows a Registry that was replaced, and forgets what the old one said", async () => {
    world.replaceRegistry();
    world.kv.set("roster/0", null);
    await world.clock.advance(MINUTE);
    await world.publish(world.isolate("elsewhere"), DOMAIN, ["alice", "dave"], { expect: null });
    await world.clock.advance(2 * WINDOW);
    expect(await said(`dave@${DOMAIN}`)).toBe("deliverable confirmed");
    expect(await said(`carol@${DOMAIN}`)).toBe("unknown confirmed");
  });

  it("does not answer from before a generation that the client has seen", async () => {
    const number = await publish("alice", "bob", "carol", "dave");
    const answer = await host.check(NOBODY, number);
    expect(answer?.verdict).toBe("unavailable");
  });
});
