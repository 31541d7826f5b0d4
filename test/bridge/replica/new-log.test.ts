/* A Registry that was lost and begins again without the lists that a replica holds. */

import { beforeEach, describe, expect, it } from "vitest";
import { sleep } from "../../../testing/client.ts";
import { DAY, HOUR, MINUTE, must, SECOND, WINDOW } from "../../../testing/world.ts";
import { FULL, ifFull } from "../../support/full.ts";
import { AskedHost, type HostOptions, ReplicaWorld } from "./support-world.ts";

const DOMAIN = "a.example";
const OTHER = "b.example";

let world: ReplicaWorld;
let at: AskedHost;

const said = (local: string, domain = DOMAIN): Promise<string> => at.said(`${local}@${domain}`);
const begin = async (options: HostOptions = {}): Promise<void> => {
  at = await AskedHost.start(world, { domains: [DOMAIN, OTHER], ...options });
};
/** The Registry loses its storage; another one is initialised, with another domain alone. */
async function lose(): Promise<void> {
  world.loseRegistry();
  await world.publish(world.edge, OTHER, ["carol"], { expect: null });
  await world.clock.advance(WINDOW + 5 * SECOND);
}
const files = (): string[] => [...at.host.disk.files.keys()].filter((path) => path.includes(DOMAIN));

beforeEach(async () => {
  world = new ReplicaWorld();
  await world.publishHere(DOMAIN, ["alice", "bob"]);
  await world.publishHere(OTHER, ["carol", "dave"]);
});

describe("a new log without any head of a domain", () => {
  it("ends no accept for accept-grace, and refuses nobody, also after a restart", async () => {
    await begin();
    await lose();
    expect(at.host.events.filter(([event]) => event === "unlisted")).toEqual([["unlisted", 0, [DOMAIN]]]);
    expect([await said("alice"), await said("nobody")]).toEqual([
      "250 replica",
      expect.stringMatching(/^451/),
    ]);
    expect([await said("carol", OTHER), await said("dave", OTHER)]).toEqual(["250 replica", "550 replica"]);
    await at.restart();
    expect(await said("alice")).toBe("250 replica");
    await world.clock.advance(3 * HOUR);
    expect(await said("alice")).toBe("250 replica");
  });

  it("is answered from at once where it has a list, though the numbers of the log before were higher", async () => {
    await begin();
    expect(await said("dave", OTHER)).toBe("250 replica");
    await lose();
    expect(await said("dave", OTHER)).toBe("550 replica");
  });

  it("ends them after accept-grace from the last contact with the log that listed it, and what was stored goes", async () => {
    await begin({ acceptGrace: 2 * HOUR });
    await lose();
    await world.clock.advance(HOUR);
    await at.restart();
    await world.clock.advance(HOUR - 2 * MINUTE);
    expect(await said("alice")).toBe("250 replica");
    expect(files()).not.toEqual([]);
    await world.clock.advance(2 * MINUTE);
    expect(await said("alice")).toMatch(/^451/);
    expect(files()).toEqual([]);
  });

  it("refuses nobody if the token is for all domains, though the edge does not serve the domain", async () => {
    await begin({ domains: null });
    await lose();
    expect(await said("alice")).toBe("250 replica");
    expect(await said("nobody")).toBe("451 none");
  });

  it("refuses nobody if the edge says that it does not serve the domain when the replica has answered already", async () => {
    await begin({ domains: null });
    await lose();
    world.tamper = async (path, response) => {
      if (path.startsWith("/v1/rcpt")) await sleep(world.clock, 2 * SECOND);
      return response;
    };
    expect(await said("alice")).toBe("250 replica");
    // The answer comes now.
    await world.clock.advance(2 * SECOND);
    expect(await said("alice")).toBe("250 replica");
    world.isAway = true;
    await world.clock.advance(MINUTE);
    expect(await said("alice")).toBe("250 replica");
  });

  it("is followed by the list that is published again", async () => {
    await begin();
    await lose();
    await world.publish(world.edge, DOMAIN, ["alice", "newcomer"], { expect: null });
    await world.clock.advance(WINDOW);
    expect([await said("alice"), await said("bob"), await said("newcomer")]).toEqual([
      "250 replica",
      "550 replica",
      "250 replica",
    ]);
  });

  it("ends accepts at once with a tombstone", async () => {
    await begin();
    await lose();
    const generation = await world.publish(world.edge, DOMAIN, ["alice"], { expect: null });
    await must(world.edge.call(`/v1/domains/${DOMAIN}?expect=${generation}`, { method: "DELETE" }));
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect(await said("alice")).toMatch(/^45/);
    expect(await said("bob")).toMatch(/^45/);
  });
});

describe("a new log with a head of the domain whose list cannot be fetched", () => {
  it("lets the list of the earlier log accept without the edge, for a day, also after a restart", async () => {
    await begin();
    world.tamper = (path, response) =>
      /manifest/.test(path) ? new Response("no", { status: 503 }) : response;
    await lose();
    expect(await said("carol", OTHER)).toBe("250 edge");
    world.isAway = true;
    await world.clock.advance(WINDOW);
    expect(await said("dave", OTHER)).toBe("250 replica");
    await at.restart();
    expect(await said("dave", OTHER)).toBe("250 replica");
    await world.clock.advance(DAY - 3 * MINUTE);
    expect(await said("dave", OTHER)).toBe("250 replica");
    await world.clock.advance(3 * MINUTE);
    expect(await said("dave", OTHER)).toBe("451 none");
    // No head of the other one is in the log at all.
    expect(await said("alice")).toBe("250 replica");
  });

  it.runIf(FULL)(ifFull("lets an alias accept no longer than the list that it stands for"), async () => {
    const alias = "alias.example";
    const asAlias = { policy: { alias: DOMAIN } } as const;
    await world.publishHere(alias, [], asAlias);
    await begin({ domains: [DOMAIN, alias] });
    expect(await said("alice", alias)).toBe("250 replica");
    let isCut = (path: string): boolean => path.endsWith(`/${DOMAIN}/manifest`);
    world.tamper = (path, response) => (isCut(path) ? new Response("no", { status: 503 }) : response);
    await world.publishHere(DOMAIN, ["alice", "bob", "newcomer"]);
    await world.clock.advance(20 * HOUR);
    isCut = (path) => path.endsWith("/manifest");
    world.loseRegistry();
    await world.publish(world.edge, DOMAIN, ["alice", "bob"], { expect: null });
    await world.publish(world.edge, alias, [], { ...asAlias, expect: null });
    await world.clock.advance(WINDOW);
    world.isAway = true;
    await at.restart();
    await world.clock.advance(WINDOW);
    expect(await said("alice", alias)).toBe("250 replica");
    await world.clock.advance(4 * HOUR);
    expect(await said("alice", alias)).toBe("451 none");
  });
});
