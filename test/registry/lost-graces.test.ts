/* Names that left, and whose grace still runs, when the list changes its key or its spelling, or becomes an alias. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  addToSketch,
  blobIds,
  DEFAULT_POLICY,
  fingerprint,
  type Manifest,
  type ManifestRecord,
  newSketch,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { Records } from "../../src/registry/generations/records.ts";
import { refusesFromOf } from "../../src/registry/names/list-grace.ts";
import { lostGraces } from "../../src/registry/names/lost-graces.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, type PublishOptions, WINDOW } from "../../testing/world.ts";
import { accepted, D, Desk } from "./support.ts";

const OTHER = "other.example";
const LIST = people(30);

let desk: Desk;
let isolate: IsolateHost;

beforeEach(async () => {
  desk = await new Desk().open();
  isolate = desk.world.isolate();
  await desk.publish(["somebody"], { domain: OTHER });
  await desk.publish(LIST);
});

const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);
const verdict = async (name: string): Promise<string> => (await isolate.check(`${name}@${D}`)).verdict;
const refusal = async (list: readonly string[], options: PublishOptions): Promise<string> => {
  const { refusals } = (await desk.refusal([await desk.prepare(list, options)])) as {
    refusals?: Record<string, string>;
  };
  return refusals?.[D] ?? expect.fail("the guard refuses it for another reason");
};

const CHANGES: readonly [what: string, options: PublishOptions, list: readonly string[]][] = [
  ["another key", { epoch: 2 }, LIST.slice(3)],
  ["another rule for case", { policy: { case: "sensitive" } }, LIST.slice(3)],
  ["an alias", { policy: { alias: OTHER } }, []],
];

describe.each(CHANGES)("names that left, and %s", (_, options, list) => {
  it("are deferred until their own time, which is later than a grace from now", async () => {
    await desk.publish(LIST, { policy: { grace: 6 * 3_600 } });
    await desk.publish(LIST.slice(3));
    await desk.publish(LIST.slice(3), { policy: { grace: 600 } });
    await desk.publish(list, { ...options, force: true });
    await advance(WINDOW);
    for (const time of [HOUR, 4 * HOUR, 50 * MINUTE]) {
      await advance(time);
      expect(await verdict("u0")).toBe("departed");
    }
    await advance(30 * MINUTE);
    expect(await verdict("u0")).toBe("unknown");
  });

  it("are deferred so through what is published then", async () => {
    await desk.publish(LIST.slice(3));
    await advance(30 * MINUTE);
    await desk.publish(list, { ...options, force: true });
    await desk.publish(list, { mode: "defer" });
    await desk.publish(list, { mode: "enforce" });
    await advance(25 * MINUTE);
    expect(await verdict("u0")).toBe("departed");
    await advance(HOUR);
    expect(await verdict("u0")).toBe("unknown");
  });

  it("are counted if they lose a grace that is longer than a day", async () => {
    await desk.publish(LIST, { policy: { grace: 3 * 86_400 } });
    await desk.publish(LIST.slice(3));
    expect(await refusal(list, options)).toMatch(
      /; 3 names that left would lose the rest of a longer grace$/,
    );
    await desk.publish(list, { ...options, force: true });
    await advance(DAY - HOUR);
    expect(await verdict("u0")).toBe("departed");
    await advance(2 * HOUR);
    expect(await verdict("u0")).toBe("unknown");
  });

  it("are counted if they are so many that the brake watches them", async () => {
    await desk.publish(LIST.slice(12), { force: true });
    const rest = list.length === 0 ? [] : LIST.slice(12);
    expect(await refusal(rest, options)).toMatch(
      /; the brake would not watch 12 names that left within a day$/,
    );
    const [group] = (await desk.head())?.departures.groups?.groups ?? [];
    await advance((group?.at as number) * 1000 + DAY - desk.world.clock.now() - 1);
    expect(await refusal(rest, options)).toMatch(/brake/);
    await advance(1);
    expect(await refusal(rest, options)).not.toMatch(/brake/);
  });

  it("are counted if they are as few as the brake watches, and not if they are fewer", async () => {
    await desk.publish(LIST.slice(9), { force: true });
    const rest = (first: number): string[] => (list.length === 0 ? [] : LIST.slice(first));
    expect(await refusal(rest(9), options)).not.toMatch(/brake/);
    await desk.publish(LIST.slice(10), { force: true });
    expect(await refusal(rest(10), options)).toMatch(/; the brake would not watch 10 names/);
  });

  it("are not counted if they lose nothing", async () => {
    await desk.publish(LIST.slice(3));
    expect(await refusal(list, options)).toMatch(/ (new ones|counted)$/);
  });

  it("are not counted if they are held, since nobody refuses them then", async () => {
    await desk.publish(LIST.slice(12), { force: true });
    const [group] = (await desk.head())?.departures.groups?.groups ?? [];
    const asked = newSketch();
    const { names } = desk.world.keyFor(D);
    for (const name of LIST.slice(0, 12)) addToSketch(asked, fingerprint(names, name));
    desk.core.brake(D, new Map([[group?.id as number, asked]]));
    expect(accepted(await desk.core.domainsNamed([D]))[0]?.brake?.held).toBe(12);
    expect(await refusal(list.length === 0 ? [] : LIST.slice(12), options)).not.toMatch(/grace/);
  });
});

it("names that left are not counted by a change that keeps them", async () => {
  await desk.publish(LIST, { policy: { grace: 3 * 86_400, catchall: true }, force: true });
  await desk.publish(LIST.slice(12), { force: true });
  expect(await refusal(LIST.slice(12), { policy: { catchall: false } })).not.toMatch(/grace|brake/);
  expect(accepted(await desk.core.domainsNamed([D]))).toHaveLength(1);
});

it("names that left are not called none if their record is damaged", async () => {
  await desk.publish(people(2_500), { policy: { grace: 3 * 86_400 }, force: true });
  await desk.publish(people(10), { force: true });
  const [id = ""] = blobIds((await desk.head())?.departures as Manifest["departures"]);
  const damaged = "UPDATE blobs SET bytes = zeroblob(length(bytes)) WHERE domain = ? AND id = ? RETURNING id";
  expect(desk.world.registry().storage.sql(damaged, D, id)).toHaveLength(1);
  expect(await refusal(people(10), { epoch: 2 })).toContain(
    "; how many names that left would lose the rest of a longer grace is not known, since their record is damaged",
  );
});

it("names that left are not called damaged because the storage failed", async () => {
  await desk.publish(people(2_500), { policy: { grace: 3 * 86_400 }, force: true });
  await desk.publish(people(10), { force: true });
  const left = (await desk.head()) as ManifestRecord;
  const { storage } = desk.world.registry();
  const real = storage.sql.bind(storage);
  const fresh = () => ({
    records: new Records(storage, { hashing: stablelibHashing, keyFor: desk.world.keyFor }),
    now: desk.world.clock.now(),
  });
  const coming = { head: null, keyId: "another", policy: DEFAULT_POLICY };
  let statements = 0;
  let most = Number.POSITIVE_INFINITY;
  vi.spyOn(storage, "sql").mockImplementation((text, ...bindings) => {
    if (++statements > most) throw new Error("disk I/O error");
    return real(text, ...bindings);
  });
  refusesFromOf(fresh(), { ...coming, isLost: false }, left);
  most = statements;
  statements = 0;
  expect(() => lostGraces(fresh(), coming, left)).toThrow("disk I/O error");
});
