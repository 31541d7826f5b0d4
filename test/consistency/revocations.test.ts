import { describe, expect, it } from "vitest";
import { HOUR, MINUTE, must, SECOND, World } from "../../testing/world.ts";

/** One domain of each of two partitions. */
function domainsOf(world: World): readonly [first: string, second: string] {
  const all = Array.from({ length: 20 }, (_, i) => `d${i}.example`);
  return [0, 1].map((partition) => all.find((each) => world.partitionOf(each) === partition)) as [
    string,
    string,
  ];
}

const statusOf = async (world: World, domain: string, token: string): Promise<number> => {
  const cold = world.isolate("cold");
  const ask = async (): Promise<number> =>
    (await cold.call("/v1/rcpt", { json: { recipient: `alice@${domain}` }, token })).status;
  await ask();
  await cold.idle();
  return ask();
};

describe("a partition that starts", () => {
  it("does not start while the first one does not list its revocations, and starts as soon as it does", async () => {
    const world = new World({ partitions: 2 });
    const isolate = world.isolate();
    const [first, second] = domainsOf(world);
    await world.publish(isolate, first, ["alice"]);
    const { id, token } = await world.createToken(isolate);
    await must(isolate.call(`/v1/tokens/${id}`, { method: "DELETE" }));
    for (const kind of ["error", "hang", "lost"] as const) {
      world.registry(0).fault = ({ method }) => (method === "revocations" ? { kind } : undefined);
      const { commit, policy } = await world.prepare(isolate, second, ["alice"]);
      const reply = await world.send(isolate, [commit], [policy]);
      expect(reply).toMatchObject({ status: 503, body: { error: { code: "unavailable" } } });
      expect(reply.took).toBeLessThan(20 * SECOND);
      expect(world.registry(1).sql("SELECT value FROM meta WHERE name = 'incarnation'")).toEqual([]);
      // Nothing is refused meanwhile either, as with every Registry that is not initialised.
      expect((await isolate.check(`bob@${second}`)).action).toBe("defer");
    }
    world.registry(0).fault = () => undefined;
    await world.publish(isolate, second, ["alice"]);
    expect(await statusOf(world, second, token)).toBe(401);
  });

  it("misses no revocation that is made while it asks", async () => {
    const world = new World({ partitions: 2 });
    const isolate = world.isolate();
    const [first, second] = domainsOf(world);
    await world.publish(isolate, first, ["alice"]);
    const { id, token } = await world.createToken(isolate);
    world.registry(0).fault = ({ method }) =>
      method === "revocations" ? { kind: "late", ms: 2 * SECOND } : undefined;
    const publishing = world
      .prepare(isolate, second, ["alice"])
      .then((it) => world.send(isolate, [it.commit], [it.policy]));
    await world.clock.advance(SECOND);
    const revoking = isolate.begin(`/v1/tokens/${id}`, { method: "DELETE" });
    await world.clock.advance(5 * SECOND);
    expect((await publishing).status).toBe(200);
    expect((await revoking).status).toBe(200);
    expect(await statusOf(world, second, token)).toBe(401);
  });

  it("has all revocations again after it was lost", async () => {
    const world = new World({ partitions: 2 });
    const isolate = world.isolate();
    const [first, second] = domainsOf(world);
    await world.publish(isolate, first, ["alice"]);
    await world.publish(isolate, second, ["alice"]);
    const { id, token } = await world.createToken(isolate);
    await must(isolate.call(`/v1/tokens/${id}`, { method: "DELETE" }));
    world.replaceRegistry(1);
    await world.tryPublish(isolate, second, ["alice"], { expect: null });
    expect(await statusOf(world, second, token)).toBe(401);
  });
});

describe("a revocation", () => {
  it("that reached only the first partition reaches the others within an hour", async () => {
    const world = new World({ partitions: 2 });
    const isolate = world.isolate();
    const [first, second] = domainsOf(world);
    await world.publish(isolate, first, ["alice"]);
    await world.publish(isolate, second, ["alice"]);
    const { id, token } = await world.createToken(isolate);
    world.registry(1).fault = ({ method }) => (method === "revokeToken" ? { kind: "error" } : undefined);
    expect((await isolate.call(`/v1/tokens/${id}`, { method: "DELETE" })).status).toBe(503);
    expect(await statusOf(world, second, token)).toBe(200);
    await world.clock.advance(HOUR + MINUTE);
    expect(await statusOf(world, second, token)).toBe(401);
  });
});
