/* A mistake is held, whatever else left and whatever others report. */

import { beforeEach, describe, expect, it } from "vitest";
import type { Asked, DomainDescription } from "../../src/api/index.ts";
import { addToSketch, fingerprint, newSketch, packSketch, toBase64Url } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { HOUR, MINUTE, SECOND } from "../../testing/world.ts";
import { FULL, ifFull } from "../support/full.ts";
import { accepted, D, Desk } from "./support.ts";

let desk: Desk;
let isolate: IsolateHost;

beforeEach(async () => {
  desk = await new Desk().open();
  isolate = desk.world.isolate();
});

const at = (name: string): string => `${name}@${D}`;
const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);
const brake = async (): Promise<DomainDescription["brake"]> =>
  accepted(await desk.core.domainsNamed([D]))[0]?.brake ?? null;

/**
 * Has names asked for, some every four seconds, until the brake holds or ten minutes are over.
 * @param always recipients that are asked for each time, and first
 * @returns how long it took
 */
async function askUntilHeld(
  names: readonly string[],
  always: readonly string[] = [],
): Promise<number | null> {
  const begun = desk.world.clock.now();
  for (let i = 0; desk.world.clock.now() < begun + 10 * MINUTE; i++) {
    const some = names.slice((i * 50) % names.length, ((i * 50) % names.length) + 50);
    for (const recipient of [...always, ...some.map(at)]) await isolate.check(recipient);
    await isolate.check(`postmaster@${D}`);
    await isolate.idle();
    await advance(4 * SECOND);
    if ((await brake()) !== null) return desk.world.clock.now() - begun;
  }
  return null;
}

/** Removes names one by one. */
async function removeEach(names: readonly string[], every = MINUTE): Promise<void> {
  for (const name of names) {
    const changes = await desk.changes({ [name]: -1 });
    accepted(await desk.world.clock.run(desk.core.patch({ ...changes, force: true }, "tester", null)));
    await advance(every);
  }
}

/** Publishes a list that settles all single changes. */
async function publishWithout(list: readonly string[]): Promise<void> {
  const commit = await desk.prepare(list);
  await desk.commit([{ ...commit, patched_kept: "" }]);
}

describe("a mistake is held within two minutes", () => {
  it("although 260 left one by one before, all of whom are asked for", async () => {
    const size = FULL ? 300_260 : 20_260;
    await desk.publish(people(size), { bits: 6 });
    await isolate.check(`u${size - 1}@${D}`);
    const leavers = people(260);
    const leaving = (size - 260) / 20;
    await removeEach(leavers);
    await publishWithout(people(size - 260 - leaving, 260 + leaving));
    expect(await askUntilHeld(people(leaving / 5, 260), leavers.map(at))).toBeLessThanOrEqual(2 * MINUTE);
    expect(await brake()).toMatchObject({ left: leaving });
  });

  it.runIf(FULL)(ifFull("although as many left one by one, of whom few are asked for"), async () => {
    await desk.publish(people(4_000));
    await isolate.check(`u3999@${D}`);
    await removeEach(people(260));
    await publishWithout(people(3_540, 460));
    expect(await askUntilHeld(people(200, 260), people(8).map(at))).toBeLessThanOrEqual(2 * MINUTE);
    expect(await brake()).toMatchObject({ left: 200 });
  });

  it("although it was made in small steps, and 1,000 left properly before", async () => {
    await desk.publish(people(5_000));
    await desk.publish(people(4_000, 1_000), { force: true });
    await advance(20 * HOUR);
    await isolate.check(`u3999@${D}`);
    await removeEach(people(40, 1_000), 10 * SECOND);
    expect(await askUntilHeld(people(40, 1_000))).toBeLessThanOrEqual(2 * MINUTE);
    expect((await brake())?.left).toBeLessThanOrEqual(40);
  });

  it.each([
    ["a longer grace", { policy: { grace: 30 * 86_400 } }],
    ["a shorter grace", { policy: { grace: 60 } }],
    ["another mode", { mode: "observe" as const }],
  ])("although the list is published with %s then", async (_, options) => {
    await desk.publish(people(2_000));
    await isolate.check(`u1999@${D}`);
    await desk.publish(people(1_500, 500), { force: true });
    await advance(MINUTE);
    await desk.publish(people(1_500, 500), options);
    // Eleven are more than a fiftieth of 500, and fewer than a quarter.
    expect(await askUntilHeld(people(15))).toBeLessThanOrEqual(2 * MINUTE);
  });

  it("although another customer's replica reports what nobody left", async () => {
    const other = "other.example";
    await desk.publish(people(60), { domain: other });
    await desk.publish(people(60));
    await isolate.check(`u59@${D}`);
    await desk.publish(people(40, 20), { force: true });
    const sketch = newSketch();
    addToSketch(sketch, fingerprint(desk.world.keyFor(other).names, "a"));
    const packed = toBase64Url(packSketch(sketch));
    const replica = { token: "theirs", domains: [other], after: null };
    for (const from of [1, 129]) {
      const asked = Array.from({ length: 128 }, (_, i): Asked => [other, from + i, packed]);
      accepted(await desk.core.question({ since: null, want: null, replica, asked }));
    }
    expect(await askUntilHeld(people(20))).toBeLessThanOrEqual(2 * MINUTE);
  });

  it("although others report of the same domain what nobody left", async () => {
    await desk.publish(people(60));
    await isolate.check(`u59@${D}`);
    await desk.publish(people(40, 20), { force: true });
    const replica = { token: "stolen", domains: [D], after: null };
    for (let from = 1; from < 5_000; from += 128) {
      const asked = Array.from({ length: 128 }, (_, i): Asked => [D, from + i, "AAE"]);
      accepted(await desk.core.question({ since: null, want: null, replica, asked }));
    }
    expect(await askUntilHeld(people(20))).toBeLessThanOrEqual(2 * MINUTE);
  });

  it("although an isolate answers for hundreds of other domains with leavers", async () => {
    const domains = Array.from({ length: 250 }, (_, i) => `d${i}.example`);
    const publish = async (from: number): Promise<void> => {
      const commits = [];
      for (const domain of domains) commits.push(await desk.prepare(people(20 - from, from), { domain }));
      await desk.commit(commits, { force: true });
    };
    await publish(0);
    await desk.publish(people(60));
    await publish(2);
    await desk.publish(people(40, 20), { force: true });
    const others = domains.flatMap((domain) => people(2).map((name) => `${name}@${domain}`));
    expect(await askUntilHeld(people(20), others)).toBeLessThanOrEqual(2 * MINUTE);
  });
});

describe("what a reader counts", () => {
  it("goes to the Registry that has the list, of several", async () => {
    const desk = new Desk({ partitions: 3 });
    const { world } = desk;
    const domains = Array.from({ length: 6 }, (_, i) => `d${i}.example`);
    const there = world.isolate();
    for (let partition = 0; partition < 3; partition++)
      accepted(
        await world.clock.run(
          world.registry(partition).core({ partition, partitions: 3 }).initialise("tester"),
        ),
      );
    for (const domain of domains) await world.publish(there, domain, people(60));
    for (const domain of domains) await world.publish(there, domain, people(40, 20), { force: true });
    const held = (): string[] =>
      domains.filter(
        (domain) =>
          world.registry(world.partitionOf(domain)).sql("SELECT 1 FROM brakes WHERE domain = ?", domain)
            .length > 0,
      );
    for (let i = 0; i < 40 && held().length < domains.length; i++) {
      // Each name once: what goes to the wrong place is lost.
      if (i === 2)
        for (const domain of domains) for (const name of people(15)) await there.check(`${name}@${domain}`);
      for (const domain of domains) await there.check(`postmaster@${domain}`);
      await there.idle();
      await world.clock.advance(5 * SECOND);
    }
    expect(held()).toEqual(domains);
  });
});
