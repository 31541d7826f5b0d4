/* Plans are judged step by step, and tokens take turns. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { PlannedDomain } from "../../src/api/index.ts";
import { encodeTails, type Steps, toBase64Url } from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { FairQueue } from "../../src/registry/commits/fair-queue.ts";
import { octetsOf, PLANNED_IN_A_ROW, plan } from "../../src/registry/commits/plan.ts";
import { Records } from "../../src/registry/generations/records.ts";
import { people } from "../../testing/lists.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const MANY = 100_000;
let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
  await desk.publish(people(10));
});

/** A plan that names so many tails. */
async function planned(tails: (i: number) => number, count = MANY): Promise<PlannedDomain> {
  const { expect: head, key_id, canonicaliser } = await desk.prepare(people(10));
  const accepted = toBase64Url(encodeTails(Float64Array.from({ length: count }, (_, i) => tails(i))));
  const more = { key_id, canonicaliser, policy: {}, accepted: count, names: { accepted } };
  return { domain: D, expect: head ?? 0, ...more };
}
const spread = (i: number): number => i * Math.floor(2 ** 48 / MANY);
const alike = (i: number): number => i;

describe("a plan of many names", () => {
  it.each([
    ["spread over all tails", spread],
    ["close to each other", alike],
  ])("is judged in small steps, with names %s, and keeps nothing", async (_, tails) => {
    const { storage } = desk.world.registry();
    const proof = { hashing: stablelibHashing, keyFor: desk.world.keyFor };
    const context = {
      storage,
      records: new Records(storage, proof),
      now: desk.world.clock.now(),
      reach: null,
    };
    const before = JSON.stringify(desk.world.registry().sql("SELECT * FROM guard_ledgers"));
    const steps: Steps<unknown> = plan(context, { domains: [await planned(tails)] });
    const done: number[] = [];
    for (let step = steps.next(); !step.done; step = steps.next()) done.push(step.value as number);
    expect(Math.max(...done)).toBeLessThanOrEqual(8_192);
    // Each name is decoded, compared and judged.
    expect(done.reduce((sum, names) => sum + names, 0)).toBeGreaterThan(MANY);
    expect(JSON.stringify(desk.world.registry().sql("SELECT * FROM guard_ledgers"))).toBe(before);
    expect(desk.world.registry().sql("SELECT * FROM guard_spans")).toEqual([]);
  });

  it("stores nothing at all, whether it is judged, refused or a conflict", async () => {
    const registry = desk.world.registry();
    const tables = registry.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    const everything = (): string =>
      JSON.stringify(tables.map(({ name }) => [name, registry.sql(`SELECT * FROM "${name}"`)]));
    const before = everything();
    expect(tables.length).toBeGreaterThan(5);
    const fair = { names: { gone: "", back: toBase64Url(encodeTails(Float64Array.of(1, 2, 3))) } };
    const plan = await planned(spread, 100);
    expect(accepted(await desk.plan([plan])).refusals[D]).toMatch(/would refuse/);
    expect(accepted(await desk.plan([{ ...plan, ...fair, accepted: 13 }]))).toEqual({
      refusals: { [D]: null },
    });
    expect(refused(await desk.plan([{ ...plan, expect: 99 }])).code).toBe("conflict");
    expect(everything()).toBe(before);
  });

  it("is refused before its first step if it was planned against another head", async () => {
    const { storage } = desk.world.registry();
    const records = new Records(storage, { hashing: stablelibHashing, keyFor: desk.world.keyFor });
    const context = { storage, records, now: desk.world.clock.now(), reach: null };
    const late = { ...(await planned(spread, 10)), expect: 99 };
    expect(() => plan(context, { domains: [late] }).next()).toThrow(/planned against generation 99/);
  });

  it("is refused if it is of an alias that the token does not cover", async () => {
    const alias = { ...(await planned(spread, 10)), policy: { alias: "other.example" } };
    const answer = desk.world.clock.run(desk.core.plan({ domains: [alias] }, [D], "tester"));
    expect(refused(await answer)).toMatchObject({ code: "forbidden", domain: D });
  });

  it("lets questions have their turn meanwhile", async () => {
    const sleep = vi.spyOn(desk.world.clock, "sleep");
    const refusals = accepted(await desk.plan([await planned(spread)]));
    expect(refusals).toEqual({ refusals: { [D]: "would refuse all 10 names" } });
    expect(sleep.mock.calls.length).toBeGreaterThan(MANY / PLANNED_IN_A_ROW);
  });

  it("ends with a conflict if the head moved while it was judged", async () => {
    const domains = [await planned(spread)];
    const judging = desk.core.plan({ domains }, null, "tester");
    await desk.publish(people(11));
    expect(refused(await desk.world.clock.run(judging))).toMatchObject({ code: "conflict", domain: D });
  });

  it("of one token waits for others' after each of its own; a third one is refused", async () => {
    const domains = [await planned(spread, 20_000)];
    const order: string[] = [];
    const send = (by: string): Promise<void> =>
      desk.core
        .plan({ domains }, null, by)
        .then((result) => void order.push(`${by} ${result.ok ? "judged" : result.error.code}`));
    await desk.world.clock.run(Promise.all(["a", "a", "a", "b", "c"].map(send)));
    expect(order).toEqual(["a unavailable", "a judged", "b judged", "c judged", "a judged"]);
  });
});

describe("a queue by turns", () => {
  it("counts the names of all domains of a plan", async () => {
    const each = await planned(spread, 3);
    expect(octetsOf({ domains: [each, { ...each, names: { gone: "AAAAAAAB", back: "AAAA" } }] })).toBe(
      24 + 12,
    );
  });

  it("refuses what is too much of all tokens, and goes on after a failure", async () => {
    const queue = new FairQueue();
    let end: () => void = () => undefined;
    const first = queue.add("plans", "t0", 0, () => new Promise<void>((resolve) => (end = resolve)));
    const failing = queue.add("plans", "t1", 0, async () => {
      throw new Error("damaged");
    });
    const others = Array.from({ length: 14 }, (_, i) => queue.add("plans", `t${i + 2}`, 0, async () => i));
    await expect(queue.add("plans", "last", 0, async () => 0)).rejects.toThrow(
      "16 plans are waiting: try again later",
    );
    end();
    await first;
    await expect(failing).rejects.toThrow("damaged");
    expect(await Promise.all(others)).toHaveLength(14);
    expect(await queue.add("plans", "last", 0, async () => 7)).toBe(7);
  });
});
