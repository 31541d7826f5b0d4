/* From when on a list refuses, after a change that takes recipients whom nobody can name. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  addToSketch,
  blobIds,
  DEFAULT_POLICY,
  fingerprint,
  type ManifestRecord,
  newSketch,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { Records } from "../../src/registry/generations/records.ts";
import { refusesFromOf } from "../../src/registry/names/list-grace.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE } from "../../testing/world.ts";
import { accepted, D, Desk, refused } from "./support.ts";

const OTHER = "other.example";
const THIRD = "third.example";
const LIST = people(30);
const FORCE = { force: true };
const graceOf = (ms: number) => ({ grace: ms / 1000 });
const ALIAS = { policy: { alias: OTHER }, ...FORCE };
const NO_ALIAS = { policy: { alias: null }, ...FORCE };

let desk: Desk;

beforeEach(async () => {
  desk = await new Desk().open();
});

const now = (): number => desk.world.clock.now();
const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);
const head = async (domain = D): Promise<ManifestRecord> =>
  (await desk.head(domain)) ?? expect.fail("no head");
/** How long a domain refuses nobody from now on, milliseconds. */
const left = async (domain = D): Promise<number> => Math.max(0, (await head(domain)).refusesFrom - now());
/** The second until which a name is deferred says also how it left, and is a little later for it. */
function expectAbout(time: number, least: number): void {
  expect(time).toBeGreaterThanOrEqual(least);
  expect(time).toBeLessThan(least + 5_000);
}

describe("a list under another key refuses nobody", () => {
  it.each([
    [2 * HOUR, 10 * MINUTE],
    [10 * MINUTE, 2 * HOUR],
  ])("for the longer grace, of %d ms before and %d ms after", async (before, after) => {
    await desk.publish(LIST, { policy: graceOf(before), ...FORCE });
    await desk.publish(LIST, { epoch: 2, policy: graceOf(after), ...FORCE });
    expect(await left()).toBe(2 * HOUR);
  });

  it("until the last of those who left before is refused", async () => {
    await desk.publish(LIST, { policy: graceOf(6 * HOUR) });
    await desk.publish(LIST.slice(1), { policy: graceOf(10 * MINUTE) });
    await advance(HOUR);
    await desk.publish(LIST.slice(1), { epoch: 2, ...FORCE });
    expectAbout(await left(), 5 * HOUR);
  });

  it("for a day at most, however long those who left before are deferred", async () => {
    await desk.publish(LIST, { policy: graceOf(3 * DAY) });
    await desk.publish(LIST.slice(1), { policy: graceOf(10 * MINUTE) });
    await desk.publish(LIST.slice(1), { epoch: 2, ...FORCE });
    expect(await left()).toBe(DAY);
  });

  it("for a day if it cannot be read until when those who left before are deferred", async () => {
    await desk.publish(people(2_500));
    await desk.publish(people(10), FORCE);
    const [id = ""] = blobIds((await head()).departures as never);
    const damaged =
      "UPDATE blobs SET bytes = zeroblob(length(bytes)) WHERE domain = ? AND id = ? RETURNING id";
    expect(desk.world.registry().storage.sql(damaged, D, id)).toHaveLength(1);
    await desk.publish(people(10), { epoch: 2, ...FORCE });
    expect(await left()).toBe(DAY);
  });

  it("until an earlier change of this kind has its grace, too", async () => {
    await desk.publish(LIST, { policy: graceOf(2 * HOUR) });
    await desk.publish(LIST, { epoch: 2, policy: graceOf(10 * MINUTE), ...FORCE });
    await advance(MINUTE);
    await desk.publish(LIST, { epoch: 3, ...FORCE });
    expect(await left()).toBe(2 * HOUR - MINUTE);
  });
});

describe("a domain that becomes an alias, or is one no longer, refuses nobody", () => {
  beforeEach(async () => {
    await desk.publish(LIST, { policy: graceOf(10 * MINUTE) });
  });

  it("for the grace of its target", async () => {
    await desk.publish(LIST, { domain: OTHER, policy: graceOf(3 * HOUR) });
    await desk.publish([], ALIAS);
    expect(await left()).toBe(3 * HOUR);
    await advance(HOUR);
    await desk.publish(LIST, NO_ALIAS);
    expect(await left()).toBe(3 * HOUR);
  });

  it("for the longer grace of two targets, if it changes them", async () => {
    await desk.publish(LIST, { domain: OTHER, policy: graceOf(3 * HOUR) });
    await desk.publish(LIST, { domain: THIRD, policy: graceOf(2 * HOUR) });
    const third = { policy: { alias: THIRD }, ...FORCE };
    await desk.publish([], third);
    expect(await left()).toBe(2 * HOUR);
    await desk.publish([], ALIAS);
    expect(await left()).toBe(3 * HOUR);
    await advance(HOUR);
    await desk.publish([], third);
    expect(await left()).toBe(3 * HOUR);
  });

  it("until the last of those who left its target is refused", async () => {
    await desk.publish(LIST, { domain: OTHER, policy: graceOf(6 * HOUR) });
    await desk.publish(LIST.slice(1), { domain: OTHER, policy: graceOf(10 * MINUTE) });
    await desk.publish([], ALIAS);
    expectAbout(await left(), 6 * HOUR);
  });

  it("while its target does not", async () => {
    await desk.publish(LIST, { domain: OTHER, policy: graceOf(2 * HOUR) });
    await desk.publish([], ALIAS);
    await advance(3 * HOUR);
    await desk.publish(LIST, { domain: OTHER, epoch: 2, policy: graceOf(10 * MINUTE), ...FORCE });
    await advance(MINUTE);
    await desk.publish(LIST, NO_ALIAS);
    expect(await left()).toBe(2 * HOUR - MINUTE);
  });
});

it("an alias of a domain of which no list can be read ends with the longest grace", async () => {
  await desk.publish(LIST);
  await desk.publish(LIST, { domain: OTHER });
  await desk.publish([], ALIAS);
  const damaged = "UPDATE generations SET manifest = zeroblob(9) WHERE domain = ?";
  desk.world.registry().storage.sql(damaged, OTHER);
  await desk.publish(LIST, NO_ALIAS);
  expect(await left()).toBe(DAY);
});

describe("a list behind a deletion", () => {
  beforeEach(async () => {
    await desk.publish(LIST);
    await desk.remove();
  });

  it("refuses nobody for the grace while the deletion is deferred", async () => {
    await advance(DAY - 1);
    await desk.publish(LIST);
    expect(await left()).toBe(HOUR);
  });

  it("refuses at once when the domain was refused already", async () => {
    await advance(DAY);
    await desk.publish(LIST);
    expect((await head()).refusesFrom).toBe(0);
  });
});

describe("a list of which no earlier one is known", () => {
  const refusesFrom = (isLost: boolean): number => {
    const { keyFor } = desk.world;
    const { storage } = desk.world.registry();
    const records = new Records(storage, { hashing: stablelibHashing, keyFor });
    const coming = { head: null, keyId: keyFor(D).id, policy: DEFAULT_POLICY, isLost };
    return refusesFromOf({ records, now: now() }, coming, null);
  };

  it("refuses at once if there was none", () => {
    expect(refusesFrom(false)).toBe(0);
  });

  it("refuses nobody for its grace if there was one, and all of it is damaged", () => {
    expect(refusesFrom(true)).toBe(now() + HOUR);
  });
});

it("a list whose parts are lost is replaced with an override, and the new one refuses nobody for the grace", async () => {
  await desk.publish(LIST, { bits: 1 });
  const next = await desk.prepare(LIST.slice(1), { bits: 1 });
  const { ids } = next.shards as { readonly ids: readonly string[] };
  const [id = ""] = blobIds((await head()).shards).filter((each) => !ids.includes(each));
  desk.world.registry().sql("DELETE FROM blobs WHERE id = ?", id);
  await desk.commit([next], FORCE);
  expect(await left()).toBe(HOUR);
  expect((await head()).departures.count).toBe(0);
});

it("a list is not replaced without its departures because they cannot be stored, with an override neither", async () => {
  await desk.publish(people(2_500));
  const next = await desk.prepare(people(10));
  const { storage } = desk.world.registry();
  const sql = storage.sql.bind(storage);
  vi.spyOn(storage, "sql").mockImplementation((text, ...bindings) => {
    if (/INTO blobs/.test(text)) throw new Error("disk I/O error");
    return sql(text, ...bindings);
  });
  await expect(desk.commit([next], FORCE)).rejects.toThrow("disk I/O error");
  expect((await head()).counts.active).toBe(2_500);
});

it("a list-wide grace is not a day because the storage failed when the end of earlier ones was read", async () => {
  await desk.publish(people(2_500));
  await desk.publish(people(10), FORCE);
  const [left, { keyFor }] = [await head(), desk.world];
  const { storage } = desk.world.registry();
  const records = new Records(storage, { hashing: stablelibHashing, keyFor });
  vi.spyOn(storage, "sql").mockImplementation(() => {
    throw new Error("disk I/O error");
  });
  const coming = { head: null, keyId: "another", policy: DEFAULT_POLICY, isLost: false };
  expect(() => refusesFromOf({ records, now: now() }, coming, left)).toThrow("disk I/O error");
});

describe("held names whose record is damaged", () => {
  beforeEach(async () => {
    const many = people(2_500);
    await desk.publish(many);
    await desk.publish(many.slice(0, 10), FORCE);
    const asked = newSketch();
    for (const name of many.slice(10)) addToSketch(asked, fingerprint(desk.world.keyFor(D).names, name));
    const [group] = (await head()).departures.groups?.groups ?? [];
    desk.core.brake(D, new Map([[group?.id as number, asked]]));
    expect(await held()).toBe(2_490);
    for (const id of blobIds((await head()).departures as never))
      desk.world.registry().storage.sql("DELETE FROM blobs WHERE id = ?", id);
  });
  const held = async (): Promise<number | undefined> =>
    accepted(await desk.core.domainsNamed([D]))[0]?.brake?.held;

  it("are not refused by an override", async () => {
    const next = await desk.prepare(people(11));
    const forced = desk.core.commit({ domains: [next], force: true }, "tester", null);
    expect(refused(await desk.world.clock.run(forced))).toMatchObject({
      code: "bad_request",
      message: expect.stringContaining("the brake holds 2490 names"),
    });
  });

  it("are refused after a day if a person says that they left, since others may have left with them", async () => {
    accepted(await desk.core.release(D, (await head()).generation, "tester", null));
    expect(await held()).toBeUndefined();
    expect(await left()).toBe(DAY);
  });
});

it("a list that loses nobody whom nobody can name refuses as the one before", async () => {
  await desk.publish(LIST, { policy: graceOf(2 * HOUR) });
  await desk.publish(LIST, { policy: { catchall: true }, ...FORCE });
  expect((await head()).refusesFrom).toBe(0);
  await desk.publish(LIST, { policy: { catchall: false, grace: 600 }, ...FORCE });
  expect(await left()).toBe(2 * HOUR);
  await advance(MINUTE);
  await desk.publish(LIST.slice(1));
  expect(await left()).toBe(2 * HOUR - MINUTE);
});
