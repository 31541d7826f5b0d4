import { beforeEach, describe, expect, it } from "vitest";
import { blobKey, manifestKey, openRoster, rosterKey, rosterMac, toHex } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND, World } from "../../testing/world.ts";
import { FULL } from "../support/full.ts";

const D = "example.com";

describe("the copy in KV", () => {
  let world: World;
  let isolate: IsolateHost;

  beforeEach(() => {
    world = new World();
    isolate = world.isolate();
  });

  /** Start times of the writes to a key. */
  const writesTo = (key: string): number[] =>
    world.kv.operations.filter(({ kind, keys }) => kind !== "get" && keys[0] === key).map(({ time }) => time);

  it("is written within seconds, shards before the manifest that names them, the roster last", async () => {
    await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.clock.advance(5 * SECOND);
    expect(world.differences()).toEqual([]);
    const order = world.kv.operations
      .filter(({ kind }) => kind === "put")
      .map(({ keys }) => keys[0]?.split("/")[0]);
    expect(order).toEqual(["shard", "shard", "domain", "roster"]);
    const text = new TextDecoder().decode(world.kv.newest(rosterKey("0")) as Uint8Array);
    expect(openRoster(text, "0", rosterMac(stablelibHashing, world.settings.masterKey))).toMatchObject({
      asOf: 1,
      heads: { [D]: 1 },
    });
  });

  it("takes two writes for a changed mailbox, and the roster follows with its next heartbeat", async () => {
    const asOf = (): number => {
      const text = new TextDecoder().decode(world.kv.newest(rosterKey("0")) as Uint8Array);
      return openRoster(text, "0", rosterMac(stablelibHashing, world.settings.masterKey)).asOf;
    };
    const names = people(14_000);
    await world.publish(isolate, D, names, { bits: 1 });
    await world.clock.advance(5 * SECOND);
    const before = world.kv.operations.filter(({ kind }) => kind === "put").length;
    await world.publish(isolate, D, names.slice(1), { bits: 1 });
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
    expect(world.kv.operations.filter(({ kind }) => kind === "put").length).toBe(before + 2);
    expect(asOf()).toBe(1);
    await world.clock.advance(HOUR);
    expect(asOf()).toBe(2);
    await world.publish(isolate, "another.example", ["alice"]);
    await world.clock.advance(5 * SECOND);
    expect(asOf()).toBe(3);
  });

  it("combines many commits, and never writes a key twice in one second", async () => {
    const commits = 60;
    for (let i = 0; i < commits; i++) {
      await world.publish(isolate, D, people(50 + i));
      await world.clock.advance(130);
    }
    await world.clock.advance(10 * SECOND);
    expect(world.differences()).toEqual([]);
    expect(world.kv.tooFast).toBe(0);
    const writes = writesTo(manifestKey(D));
    expect(writes.length).toBeGreaterThan(3);
    expect(writes.length).toBeLessThan(commits / 4);
  });

  it("writes no key twice in one second if the Registry is replaced in the middle of a copy", async () => {
    world.kv.latency = () => 300;
    for (let step = 0; step < 20; step++) {
      const domain = `d${step}.example`;
      await world.publish(isolate, domain, people(14_000 + step), { bits: 1 });
      await world.clock.advance(SECOND + 50 * step);
      world.registry().restart();
      await world.clock.advance(10 * SECOND);
      expect(world.differences()).toEqual([]);
    }
    expect(world.kv.tooFast).toBe(0);
  });

  it("is not delayed by late alarms during further commits", async () => {
    world.registry().alarmDelay = () => 500;
    for (let i = 0; i < 100; i++) {
      await world.publish(isolate, D, people(50 + i));
      await world.clock.advance(300);
    }
    expect(writesTo(manifestKey(D)).length).toBeGreaterThan(5);
  });

  it("never gives up, whatever KV and the alarms do for hours", async () => {
    let at = 0;
    const kinds = ["error", "hang", "error", "error"] as const;
    world.kv.fault = ({ kind, location }) =>
      location === "registry" && kind === "put" ? { kind: kinds[at++ % kinds.length] as "error" } : undefined;
    world.registry().alarmFault = () => (world.registry().alarmRuns % 3 === 0 ? "fails" : undefined);
    await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.publish(isolate, "other.example", ["alice"]);
    await world.clock.advance(6 * HOUR);
    expect(at).toBeGreaterThan(50);
    expect(world.differences().length).toBeGreaterThan(0);
    world.kv.fault = () => undefined;
    world.registry().alarmFault = () => undefined;
    await world.clock.advance(5 * MINUTE);
    expect(world.differences()).toEqual([]);
    expect(world.kv.newest(rosterKey("0"))).not.toBeNull();
  });

  it("of a domain that cannot be written does not delay the others", async () => {
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0] === manifestKey(D) ? { kind: "error" } : undefined;
    await world.publish(isolate, D, ["alice"]);
    for (let i = 0; i < 5; i++) await world.publish(isolate, `d${i}.example`, ["alice"]);
    await world.clock.advance(10 * MINUTE);
    expect(world.differences()).toEqual([manifestKey(D)]);
  });

  /** Domains that were deleted and pruned, so that KV has one obsolete key of each. */
  const deleteAll = async (domains: readonly string[]): Promise<void> => {
    for (const domain of domains) await world.publish(isolate, domain, ["alice"]);
    await world.clock.advance(MINUTE);
    for (const domain of domains) await world.remove(isolate, domain);
    await world.clock.advance(30 * DAY);
  };

  it.each(["error", "hang"] as const)(
    "of a key whose deletion fails does not delay other deletions: %s",
    async (kind) => {
      const domains = ["a.example", "b.example", "c.example", "d.example"];
      await deleteAll(domains);
      const bad = manifestKey("a.example");
      world.kv.fault = (it) => (it.kind === "delete" && it.keys[0] === bad ? { kind } : undefined);
      await world.clock.advance(2 * DAY);
      const left = domains.filter((domain) => world.kv.newest(manifestKey(domain)) !== null);
      expect(left).toEqual(["a.example"]);
      const status = (): Promise<unknown> => world.registry().core({ partition: 0, partitions: 1 }).status();
      expect(await status()).toMatchObject({
        value: { kv_pending: 1, kv_error: expect.stringContaining(bad) },
      });
      // It is retried about once a minute, and stays reported while it waits for its turn.
      const tries = writesTo(bad).filter((time) => time > world.clock.now() - HOUR);
      expect(tries.length).toBeGreaterThan(40);
      expect(tries.length).toBeLessThan(65);
      world.kv.fault = () => undefined;
      await world.clock.advance(2 * MINUTE);
      expect(world.kv.newest(bad)).toBeNull();
      expect(await status()).toMatchObject({ value: { kv_pending: 0, kv_error: null } });
    },
  );

  it("of a key that fails for long delays no other key: heads, roster and deletions stay as quick", async () => {
    await world.publish(isolate, D, ["alice"]);
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0] === manifestKey(D) ? { kind: "error" } : undefined;
    await world.publish(isolate, D, ["alice", "bob"]);
    await world.clock.advance(HOUR);
    await world.publish(isolate, "other.example", ["alice"]);
    await world.clock.advance(5 * SECOND);
    expect(world.differences()).toEqual([manifestKey(D)]);
    const text = new TextDecoder().decode(world.kv.newest(rosterKey("0")) as Uint8Array);
    expect(openRoster(text, "0", rosterMac(stablelibHashing, world.settings.masterKey)).heads).toHaveProperty(
      ["other.example"],
    );
  });

  it("continues with roster and deletions if the heads use up all operations of a run", async () => {
    await deleteAll(["gone.example"]);
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0]?.startsWith("domain/") ? { kind: "hang" } : undefined;
    for (let i = 0; i < 60; i++) await world.publish(isolate, `d${i}.example`, ["alice"]);
    const begun = world.clock.now();
    const hours = FULL ? 48 : 26;
    await world.clock.advance(hours * HOUR);
    expect(world.kv.newest(manifestKey("gone.example"))).toBeNull();
    const beats = writesTo(rosterKey("0")).filter((time) => time > begun);
    expect(beats.length).toBeGreaterThan(hours - 8);
    expect(Math.max(...beats.slice(1).map((time, i) => time - (beats[i] as number)))).toBeLessThan(
      HOUR + 3 * MINUTE,
    );
  });

  it("survives a reset of the Registry in the middle of it", async () => {
    world.kv.fault = ({ kind }) => (kind === "put" ? { kind: "slow", ms: 400 } : undefined);
    for (let i = 0; i < 10; i++) await world.publish(isolate, `d${i}.example`, people(20));
    for (let i = 0; i < 20; i++) {
      world.registry().restart();
      await world.clock.advance(700);
    }
    world.kv.fault = () => undefined;
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
  });

  it("is written again after a write was acknowledged and lost, once a reader misses the key", async () => {
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && (keys[0]?.startsWith("domain/") || keys[0]?.startsWith("shard/"))
        ? { kind: "lost" }
        : undefined;
    await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    expect(world.differences()).toHaveLength(3);
    await world.clock.advance(HOUR);
    const missed = world.isolate("missed");
    for (let i = 0; i < 20; i++) expect((await missed.check(`u${i}@${D}`)).verdict).toBe("deliverable");
    await missed.idle();
    const before = world.kv.operations.length;
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
    // It is written again once, not once for each reader.
    const again = world.kv.operations.slice(before).filter(({ kind }) => kind === "put");
    expect(again.length).toBeLessThanOrEqual(5);
  });

  it("is written again if a part alone was lost, and once a reader misses it", async () => {
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0]?.startsWith("shard/") ? { kind: "lost" } : undefined;
    await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    expect(world.differences()).toHaveLength(2);
    await world.clock.advance(HOUR);
    const missed = world.isolate("missed");
    for (let i = 0; i < 20; i++) expect((await missed.check(`u${i}@${D}`)).verdict).toBe("deliverable");
    await missed.idle();
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
  });

  it("is written again if a reader misses a part of it while another part is being written", async () => {
    const names = people(14_000);
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0]?.startsWith("shard/") ? { kind: "lost" } : undefined;
    await world.publish(isolate, D, names, { bits: 1 });
    await world.clock.advance(10 * MINUTE);
    expect(world.differences()).toHaveLength(2);
    // Then one shard changes, and its write takes long.
    world.kv.fault = ({ kind }) => (kind === "put" ? { kind: "slow", ms: 10 * SECOND } : undefined);
    await world.publish(isolate, D, names.slice(1), { bits: 1 });
    await world.clock.advance(2 * SECOND);
    const readSome = async (): Promise<void> => {
      const reader = world.isolate("elsewhere");
      for (let i = 0; i < 20; i++)
        expect((await reader.check(`u${100 + i}@${D}`)).verdict).toBe("deliverable");
      await reader.idle();
    };
    await readSome();
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    await world.clock.advance(10 * MINUTE);
    await readSome();
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([]);
  });

  it("keeps what the head names again, while its deletion waits", async () => {
    const first = await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.publish(isolate, D, people(14_010), { bits: 1 });
    world.kv.fault = ({ kind }) => (kind === "delete" ? { kind: "error" } : undefined);
    await world.clock.advance(DAY + 2 * HOUR);
    const waiting = world.registry().sql("SELECT key FROM kv_deletions");
    expect(waiting.length).toBeGreaterThan(0);
    await world.rollback(isolate, D, first);
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    await world.clock.advance(HOUR);
    expect(world.registry().sql("SELECT key FROM kv_deletions")).toEqual([]);
    expect(world.differences()).toEqual([]);
  });

  it("keeps the manifest of a domain that is published again, while its deletion waits", async () => {
    const number = await world.publish(isolate, D, people(10));
    await world.clock.advance(MINUTE);
    const removed = await isolate.call(`/v1/domains/${D}?expect=${number}`, { method: "DELETE" });
    expect(removed.status).toBe(200);
    world.kv.fault = ({ kind }) => (kind === "delete" ? { kind: "error" } : undefined);
    await world.clock.advance(33 * DAY);
    expect(world.registry().sql("SELECT key FROM kv_deletions")).toEqual([{ key: manifestKey(D) }]);
    await world.publish(isolate, D, people(11), { expect: null });
    await world.clock.advance(MINUTE);
    world.kv.fault = () => undefined;
    await world.clock.advance(HOUR);
    expect(world.registry().sql("SELECT key FROM kv_deletions")).toEqual([]);
    expect(world.differences()).toEqual([]);
  });

  it("is repaired if a late write overwrote a newer one", async () => {
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0] === manifestKey(D) ? { kind: "late", ms: 20 * SECOND } : undefined;
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(5 * SECOND);
    world.kv.fault = () => undefined;
    await world.publish(isolate, D, ["alice", "bob"]);
    await world.clock.advance(MINUTE);
    expect(world.differences()).toEqual([manifestKey(D)]);
    await world.clock.advance(10 * MINUTE);
    const cold = world.isolate("cold");
    expect(await cold.check(`carol@${D}`)).toMatchObject({ verdict: "unknown" });
    expect(await cold.check(`bob@${D}`)).toMatchObject({ verdict: "deliverable" });
    await world.clock.advance(10 * SECOND);
    expect(world.differences()).toEqual([]);
  });

  it("waits a second after a failed write to a key, however soon the next alarm comes", async () => {
    let size = 14_000;
    for (const failing of ["shard/", "domain/", "roster/"]) {
      let failures = 0;
      world.kv.fault = ({ kind, keys }) => {
        if (kind !== "put" || !keys[0]?.startsWith(failing)) return undefined;
        failures++;
        return { kind: "error" };
      };
      // The roster is written immediately only if the set of served domains changes.
      const domain = failing === "roster/" ? "another.example" : D;
      await world.publish(isolate, domain, people(size++), { bits: 1 });
      for (let i = 0; i < 30; i++) {
        // The platform may run an alarm twice.
        const again = world.registry().core({ partition: 0, partitions: 0 }).alarm();
        await world.clock.advance(100);
        await again;
      }
      expect(failures).toBeGreaterThan(1);
      world.kv.fault = () => undefined;
      await world.clock.advance(10 * SECOND);
    }
    expect(world.kv.tooFast).toBe(0);
    expect(world.differences()).toEqual([]);
  });

  it("of what fails for long is retried less and less often, down to once a minute", async () => {
    for (const failing of [manifestKey(D), rosterKey("0")]) {
      world.kv.fault = ({ kind, keys }) =>
        kind === "put" && keys[0] === failing ? { kind: "error" } : undefined;
      await world.publish(isolate, D, ["alice", failing.replace("/", "-")]);
      await world.clock.advance(HOUR);
      const begun = world.clock.now();
      await world.clock.advance(HOUR);
      expect(writesTo(failing).filter((time) => time > begun).length).toBeGreaterThan(55);
      expect(writesTo(failing).filter((time) => time > begun).length).toBeLessThan(65);
      world.kv.fault = () => undefined;
      await world.clock.advance(2 * MINUTE);
    }
    expect(world.differences()).toEqual([]);
  });

  it("has a heartbeat of the Registry each hour", async () => {
    await world.publish(isolate, D, ["alice"]);
    await world.clock.advance(DAY);
    const beats = writesTo(rosterKey("0"));
    expect(beats.length).toBeGreaterThanOrEqual(24);
    expect(beats.length).toBeLessThanOrEqual(27);
  });

  it("loses the shards that history no longer has, and none that a head names", async () => {
    await world.publish(isolate, D, people(14_000), { bits: 1 });
    await world.clock.advance(MINUTE);
    const gone = toHex(world.headOf(D)?.shards.ids.subarray(0, 32) as Uint8Array);
    await world.publish(isolate, D, people(14_100), { bits: 1 });
    await world.clock.advance(MINUTE);
    expect(world.kv.newest(blobKey(D, gone))).not.toBeNull();
    await world.clock.advance(31 * DAY);
    expect(world.kv.newest(blobKey(D, gone))).toBeNull();
    expect(world.differences()).toEqual([]);
    const cold = world.isolate("cold");
    expect(await cold.check(`u14050@${D}`)).toMatchObject({ verdict: "deliverable" });
  });
});
