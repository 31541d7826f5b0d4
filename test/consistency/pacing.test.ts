import { beforeEach, describe, expect, it } from "vitest";
import { manifestKey } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, must, SECOND, WINDOW, World } from "../../testing/world.ts";
import { FULL, ifFull } from "../support/full.ts";

/* Single changes all day, in virtual time: KV gets a share of them that the free plan's daily limit allows. */

const D = "example.com";
/** KV writes a day on the free plan, and by default. */
const A_DAY = 1_000;
/** Between two changes, where they go on for more than a day. */
const PAUSE = FULL ? MINUTE : 2 * MINUTE;

describe("single changes all day", () => {
  let world: World;
  let isolate: IsolateHost;

  const setUp = (kvWrites = A_DAY): void => {
    world = new World({ kvWrites });
    isolate = world.isolate();
  };
  beforeEach(() => setUp());

  const writes = (): number[] =>
    world.kv.operations.filter(({ kind }) => kind === "put").map(({ time }) => time);
  /** The most writes of any 24 hours. */
  const mostInADay = (): number => {
    const times = writes();
    let first = 0;
    return times.reduce((most, time, i) => {
      while ((times[first] as number) <= time - DAY) first++;
      return Math.max(most, i - first + 1);
    }, 0);
  };
  const add = (domain: string, name: string): Promise<number> =>
    world.patch(isolate, domain, { set: [{ recipient: `${name}@${domain}`, state: "active" }] });
  /** Makes a change again and again. */
  const changeFor = async (
    duration: number,
    change: (i: number) => Promise<unknown>,
    pause = MINUTE,
  ): Promise<void> => {
    const end = world.clock.now() + duration;
    for (let i = 0; world.clock.now() < end; i++) {
      await change(i);
      await world.clock.advance(pause);
    }
  };

  it("take half of the day's writes at most, and KV has the last one minutes after it", {
    timeout: 240_000,
  }, async () => {
    // Two writes for each change: a shard and the manifest.
    await world.publish(isolate, D, people(FULL ? 14_000 : 100), { exactBits: 1 });
    await world.clock.advance(MINUTE);
    const before = writes().length;
    await changeFor(1.2 * DAY, (i) => add(D, `new${i}`), PAUSE);
    expect(world.kv.tooFast).toBe(0);
    const all = writes().length - before;
    // Each was copied, many together: without a pause it would have been two writes for each.
    expect(all).toBeGreaterThan(450);
    // A roster an hour beside them.
    expect(mostInADay()).toBeLessThanOrEqual(A_DAY / 2 + 25 + before);
    await world.clock.advance(20 * MINUTE);
    expect(world.differences()).toEqual([]);
  });

  it("hold within a window everywhere all the same, since isolates ask the Registry", async () => {
    await world.publish(isolate, D, people(50));
    const other = world.isolate("elsewhere");
    await other.check(`nobody@${D}`);
    for (let i = 0; i < 500; i++) {
      await add(D, `new${i}`);
      await world.clock.advance(SECOND);
    }
    expect(world.differences()).toEqual([manifestKey(D)]);
    await add(D, "latest");
    await world.patch(isolate, D, { remove: [`new7@${D}`], now: true });
    // An isolate that knows the domain, once its window is over, and one that starts.
    await world.clock.advance(WINDOW);
    for (const each of [other, world.isolate("elsewhere")]) {
      await each.check(`nobody@${D}`);
      await world.clock.advance(5 * SECOND);
      expect(await each.check(`latest@${D}`)).toMatchObject({ verdict: "deliverable" });
      expect(await each.check(`new7@${D}`)).toMatchObject({ verdict: "unknown" });
    }
    expect(world.violations).toEqual([]);
  });

  it("are copied within seconds while there are few, and a publish always is", async () => {
    await world.publish(isolate, D, people(50));
    for (let i = 0; i < 200; i++) {
      await world.clock.advance(3 * SECOND);
      expect(world.differences()).toEqual([]);
      await add(D, `new${i}`);
    }
    // A few writes came back meanwhile.
    for (let i = 0; i < 5; i++) {
      await add(D, `more${i}`);
      await world.clock.advance(3 * SECOND);
    }
    expect(world.differences()).toEqual([manifestKey(D)]);
    const names = Array.from({ length: 200 }, (_, i) => `new${i}`);
    const { commit, policy } = await world.prepare(isolate, D, [...people(60), ...names]);
    await must(world.send(isolate, [{ ...commit, patched_kept: "" }], [policy]));
    await world.clock.advance(3 * SECOND);
    expect(world.differences()).toEqual([]);
    // So is what is missing in KV.
    await add(D, "and-another");
    await world.clock.advance(HOUR);
    expect(world.differences()).toEqual([]);
  });

  it("do not delay the repair of what KV lost, also if all that is kept of the list are single changes", async () => {
    setUp(20);
    await world.publish(isolate, D, people(50));
    await world.clock.advance(HOUR);
    await add(D, "first");
    // The generation that was published is pruned.
    await world.clock.advance(40 * DAY);
    // The budget is used up with the fourth.
    for (let i = 0; i < 4; i++) {
      await add(D, `new${i}`);
      await world.clock.advance(MINUTE);
    }
    expect(world.differences()).toEqual([]);
    await world.clock.advance(10 * MINUTE);
    world.kv.set(manifestKey(D), null);
    for (let i = 0; i < 3; i++) {
      await world.isolate("elsewhere").check(`nobody@${D}`);
      await world.clock.advance(MINUTE);
    }
    expect(world.differences()).toEqual([]);
  });

  it("whose copy failed count as failing no more, once the copy waits for the budget", async () => {
    const other = "other.example";
    setUp(20);
    await world.publish(isolate, D, people(50));
    await world.publish(isolate, other, people(50));
    await world.clock.advance(HOUR);
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys[0] === manifestKey(D) ? { kind: "error", message: "away" } : undefined;
    const status = (): Promise<unknown> => world.registry().core({ partition: 0, partitions: 1 }).status();
    const waiting = (error: unknown): object => ({ value: { kv_pending: 1, kv_error: error } });
    await add(D, "late");
    await world.clock.advance(MINUTE);
    expect(await status()).toMatchObject(waiting(expect.stringContaining("away")));
    // The budget is used up with the fourth.
    for (let i = 0; i < 4; i++) {
      await add(other, `new${i}`);
      await world.clock.advance(MINUTE);
    }
    world.kv.fault = () => undefined;
    await world.clock.advance(2 * MINUTE);
    expect(await status()).toMatchObject(waiting(null));
    expect(world.differences()).toEqual([manifestKey(D)]);
    await world.clock.advance(DAY);
    expect(world.differences()).toEqual([]);
  });

  it("of one list do not keep a larger copy of another from KV", async () => {
    const large = "large.example";
    const bits = FULL ? 7 : 5;
    await world.publish(isolate, large, people(4_000), { exactBits: bits });
    await world.publish(isolate, D, people(50));
    await world.clock.advance(MINUTE);
    await changeFor(4 * HOUR, (i) => add(D, `new${i}`), PAUSE);
    // All shards change at once.
    const set = Array.from({ length: 1_000 }, (_, i) => ({
      recipient: `more${i}@${large}`,
      state: "active",
    }));
    await world.patch(isolate, large, { set });
    expect(world.differences().length).toBeGreaterThan(0.8 * 2 ** bits);
    await changeFor(12 * HOUR, (i) => add(D, `newer${i}`), PAUSE);
    expect(world.differences().filter((key) => key !== manifestKey(D))).toEqual([]);
    expect(mostInADay()).toBeLessThanOrEqual(A_DAY / 2 + 25 + 140);
  });

  it("are copied one by one where ROLLCALL_KV_WRITES allows more", async () => {
    setUp(1_000_000);
    await world.publish(isolate, D, people(50));
    await changeFor((FULL ? 8 : 2) * HOUR, async (i) => {
      await add(D, `new${i}`);
      await world.clock.advance(3 * SECOND);
      expect(world.differences()).toEqual([]);
    });
    expect(writes().length).toBeGreaterThan(FULL ? 400 : 100);
  });

  it.runIf(FULL)(ifFull("share the budget of a day between partitions"), async () => {
    world = new World({ kvWrites: A_DAY, partitions: 2 });
    isolate = world.isolate();
    const names = Array.from({ length: 8 }, (_, i) => `d${i}.example`);
    const domains = [0, 1].map(
      (partition) => names.find((it) => world.partitionOf(it) === partition) as string,
    );
    for (const domain of domains) await world.publish(isolate, domain, people(50));
    const both = async (i: number): Promise<void> => {
      for (const domain of domains) await add(domain, `new${i}`);
    };
    await changeFor(1.1 * DAY, both, PAUSE);
    expect(mostInADay()).toBeLessThanOrEqual(A_DAY / 2 + 2 * 25 + 4);
  });
});
