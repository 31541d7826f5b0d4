/* What a host has known, it knows after a restart: a Registry that was set back in time, or another one, refuses nothing. */
import { beforeEach, describe, expect, it } from "vitest";
import type { BridgeHost } from "../../../testing/bridge-host.ts";
import type { ReplicaHost } from "../../../testing/replica-host.ts";
import { HOUR, MINUTE, SECOND } from "../../../testing/world.ts";
import { bridgeOf, ReplicaWorld } from "./support-world.ts";

const DOMAIN = "a.example";
const ALIAS = "alias.example";
const NEW = "new.example";
const DOMAINS = [DOMAIN, ALIAS, NEW];

let world: ReplicaWorld;
let host: ReplicaHost;
let bridge: BridgeHost<unknown>;
/** Sets the Registry, KV and the edge back to before the second publish. */
let setBack: () => void;

const said = async (recipient: string): Promise<string> => {
  const { answer, source } = await world.clock.run(Promise.resolve(bridge.resolve(recipient)));
  return `${answer.verdict} ${source}`;
};

async function restart(): Promise<void> {
  host.kill();
  await host.start();
  bridge = bridgeOf(world, host);
}

beforeEach(async () => {
  world = new ReplicaWorld();
  await world.publishHere(DOMAIN, ["alice", "leaver"]);
  await world.publishHere(ALIAS, [], { policy: { alias: DOMAIN } });
  await world.clock.advance(MINUTE);
  const storage = world.registry().copy();
  const keys = [...DOMAINS.map((domain) => `domain/${domain}`), "roster/0"];
  const values = new Map(keys.map((key) => [key, world.kv.newest(key)]));
  setBack = () => {
    storage();
    for (const [key, value] of values) world.kv.set(key, value);
    world.edge = world.isolate();
  };
  await world.publishHere(DOMAIN, ["alice", "carol"], { force: true });
  await world.publishHere(NEW, ["dave"]);
  host = await world.host({ domains: DOMAINS });
  await host.start();
  bridge = bridgeOf(world, host);
  await world.clock.advance(2 * SECOND);
});

describe("a bridge whose Registry was set back in time", () => {
  it.each([
    ["before a restart", 0],
    ["after a restart", 1],
    ["after two", 2],
  ])("accepts from its list and refuses nobody, %s", async (_, restarts) => {
    setBack();
    await world.clock.advance(MINUTE);
    for (let i = 0; i < restarts; i++) {
      await restart();
      await world.clock.advance(MINUTE);
    }
    for (const name of [`alice@${DOMAIN}`, `carol@${DOMAIN}`, `carol@${ALIAS}`, `dave@${NEW}`])
      expect(await said(name), name).toBe("deliverable replica");
    for (const name of [`nobody@${DOMAIN}`, `nobody@${ALIAS}`, `nobody@${NEW}`])
      expect(await said(name), name).toMatch(/^unavailable/);
  });

  it("refuses nobody at the moment of its start, when no poll was answered yet", async () => {
    setBack();
    await restart();
    for (const name of ["carol", "nobody"]) expect(await said(`${name}@${DOMAIN}`)).not.toMatch(/^unknown/);
  });

  it("refuses nobody in a domain of which it knows, if its list cannot be read", async () => {
    setBack();
    host.kill();
    for (const path of host.disk.files.keys())
      if (/^(manifests|blobs)/.test(path)) host.disk.files.delete(path);
    await restart();
    await world.clock.advance(MINUTE);
    for (const domain of [DOMAIN, NEW]) expect(await said(`carol@${domain}`)).toMatch(/^unavailable/);
  });

  it("answers from it again once it knows what the host knows", async () => {
    const bringBack = world.registry().copy();
    setBack();
    await restart();
    await world.clock.advance(HOUR);
    expect(await said(`nobody@${DOMAIN}`)).toMatch(/^unavailable/);
    bringBack();
    await world.clock.advance(MINUTE);
    expect(await said(`nobody@${DOMAIN}`)).toBe("unknown replica");
  });
});

it("a bridge hears that an alias was deleted, though the list that it stood for has changed since", async () => {
  await world.remove(world.edge, ALIAS);
  await world.clock.advance(MINUTE);
  expect(await said(`carol@${ALIAS}`)).toBe("departed replica");
  const { generation } = host.lists.heard(ALIAS) ?? {};
  await world.publishHere(DOMAIN, ["alice", "carol", "erin"]);
  await world.clock.advance(MINUTE);
  expect(await said(`carol@${ALIAS}`)).toBe("departed replica");
  expect(host.lists.heard(ALIAS)?.generation).toBe(generation);
});
