import { beforeEach, describe, expect, it } from "vitest";
import { blobIds, blobKey } from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, World } from "../../testing/world.ts";

const D = "example.com";
/** More names than fit into a manifest, so that they have shards. */
const MANY = 9_000;

let world: World;

beforeEach(() => {
  world = new World();
});

/** Keys of the shards that a domain's head names. */
const named = (): string[] => {
  const head = world.headOf(D);
  return head === null ? [] : blobIds(head.shards).map((id) => blobKey(D, id));
};

const shardsInKv = (): string[] => world.kv.keys().filter((key) => key.startsWith("shard/"));

describe("shards that a commit replaced", () => {
  it("leave KV after a day, and stay in the Registry as long as history", async () => {
    const isolate = world.isolate();
    const first = await world.publish(isolate, D, people(MANY), { bits: 1 });
    const before = named();
    await world.clock.advance(HOUR);
    await world.publish(isolate, D, people(MANY + 1), { bits: 1 });
    const replaced = before.filter((key) => !named().includes(key));
    expect(replaced).not.toEqual([]);
    await world.clock.advance(DAY - MINUTE);
    expect(shardsInKv()).toEqual(expect.arrayContaining(replaced));
    await world.clock.advance(2 * HOUR);
    expect(shardsInKv()).toEqual(named().sort());
    expect(world.differences()).toEqual([]);
    for (const key of replaced) {
      const blob = await world
        .registry()
        .core({ partition: 0, partitions: 1 })
        .blob(D, key.split("/")[2] as string, true);
      expect(blob).toMatchObject({ ok: true, value: expect.any(Uint8Array) });
    }
    // That a reader missed them is no reason to write them again.
    await world.clock.advance(2 * HOUR);
    expect(shardsInKv()).toEqual(named().sort());

    const third = await world.rollback(isolate, D, first);
    expect(await isolate.check(`u${MANY - 1}@${D}`)).toMatchObject({
      verdict: "deliverable",
      generation: third,
    });
    await world.clock.advance(HOUR);
    expect(world.differences()).toEqual([]);
    expect(shardsInKv()).toEqual(expect.arrayContaining(before));
    expect(await world.isolate("cold").check(`u${MANY - 1}@${D}`)).toMatchObject({
      verdict: "deliverable",
      generation: third,
      cost: { registry: 0 },
    });
    // What the rollback restored does not leave when a day has passed since it was first replaced.
    await world.clock.advance(3 * DAY);
    expect(world.differences()).toEqual([]);
  });

  it("stay if a rollback restores them within the day", async () => {
    const isolate = world.isolate();
    const first = await world.publish(isolate, D, people(MANY), { bits: 1 });
    await world.clock.advance(HOUR);
    await world.publish(isolate, D, people(MANY + 1), { bits: 1 });
    await world.clock.advance(HOUR);
    await world.rollback(isolate, D, first);
    await world.clock.advance(3 * DAY);
    expect(world.differences()).toEqual([]);
    expect(shardsInKv()).toEqual(named().sort());
  });

  it("leave KV even if writing them again for a rollback failed", async () => {
    const isolate = world.isolate();
    const first = await world.publish(isolate, D, people(MANY), { bits: 1 });
    await world.clock.advance(HOUR);
    await world.publish(isolate, D, people(MANY + 1), { bits: 1 });
    // Their deletion fails, and so does the write that the rollback needs.
    world.kv.fault = ({ kind, keys }) =>
      kind !== "get" && keys.some((key) => key.startsWith("shard/")) ? { kind: "error" } : undefined;
    await world.clock.advance(DAY + 2 * HOUR);
    await world.rollback(isolate, D, first);
    await world.clock.advance(HOUR);
    await world.publish(isolate, D, people(MANY + 1), { bits: 1 });
    world.kv.fault = () => undefined;
    await world.clock.advance(3 * DAY);
    expect(world.differences()).toEqual([]);
    expect(shardsInKv()).toEqual(named().sort());
  });

  it("stay while KV still shows the list that names them", async () => {
    const isolate = world.isolate();
    await world.publish(isolate, D, people(MANY), { bits: 1 });
    const before = named();
    await world.clock.advance(HOUR);
    // No manifest can be written, as on a plan whose daily writes are used up.
    world.kv.fault = ({ kind, keys }) =>
      kind === "put" && keys.some((key) => key.startsWith("domain/")) ? { kind: "error" } : undefined;
    await world.publish(isolate, D, people(MANY + 1), { bits: 1 });
    await world.clock.advance(2 * DAY);
    expect(shardsInKv()).toEqual(expect.arrayContaining(before));
    world.kv.fault = () => undefined;
    await world.clock.advance(2 * HOUR);
    expect(world.differences()).toEqual([]);
    await world.clock.advance(2 * HOUR);
    expect(shardsInKv()).toEqual(named().sort());
  });

  it("leave with a domain that is deleted", async () => {
    const isolate = world.isolate();
    await world.publish(isolate, D, people(MANY), { bits: 1 });
    await world.clock.advance(HOUR);
    await world.remove(isolate, D);
    await world.clock.advance(DAY + 2 * HOUR);
    expect(shardsInKv()).toEqual([]);
    await world.publish(isolate, D, people(MANY), { bits: 1 });
    await world.clock.advance(HOUR);
    expect(world.differences()).toEqual([]);
  });

  it("leave over several runs if there are more than one run takes, and not only hourly", async () => {
    await world.publish(world.isolate(), D, ["alice"]);
    const registry = world.registry();
    const ids = Array.from({ length: 1_700 }, (_, i) => i.toString(16).padStart(64, "0"));
    for (const id of ids) {
      registry.sql(
        `INSERT INTO blobs (domain, id, bytes, bits, place, active, disabled, full, moved, expires, in_kv, named_from)
           VALUES (?, ?, x'00', 0, 0, 0, 0, 0, 0, ?, 1, -1)`,
        D,
        id,
        world.clock.now() + 30 * DAY,
      );
      registry.sql("INSERT INTO kv_replaced (domain, id, since) VALUES (?, ?, ?)", D, id, world.clock.now());
      world.kv.set(blobKey(D, id), new Uint8Array(1));
    }
    await world.clock.advance(DAY + HOUR + MINUTE);
    expect(shardsInKv()).toEqual([]);
    expect(registry.sql("SELECT count(*) AS n FROM blobs")).toEqual([{ n: ids.length }]);
  });
});
