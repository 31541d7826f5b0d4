/* The brake meets what else happens to a list: a deletion, a rollback, a restart, a replica that hears of it late. */
import { beforeEach, describe, expect, it } from "vitest";
import type { DomainDescription, Question } from "../../src/api/index.ts";
import { addToSketch, fingerprint, newSketch, packSketch, toBase64Url } from "../../src/directory/index.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND, WINDOW } from "../../testing/world.ts";
import { accepted, D, Desk } from "./support.ts";

let desk: Desk;
let isolate: IsolateHost;

/** Twenty of sixty names left. */
beforeEach(async () => {
  desk = await new Desk().open();
  isolate = desk.world.isolate();
  await desk.publish(people(60));
  await isolate.check(`u59@${D}`);
  await desk.publish(STAYING, { force: true });
});

const LEFT = people(20);
const STAYING = people(40, 20);

const advance = (ms: number): Promise<void> => desk.world.clock.advance(ms);
const core = () => desk.world.registry().core({ partition: 0, partitions: 1 });
const brake = async (): Promise<DomainDescription["brake"]> =>
  accepted(await core().domainsNamed([D]))[0]?.brake ?? null;
const headNumber = async (): Promise<number> =>
  accepted(await core().domainsNamed([D]))[0]?.generation as number;
const verdicts = async (names: readonly string[]): Promise<string[]> => {
  const all: string[] = [];
  for (const name of names) all.push((await isolate.check(`${name}@${D}`)).verdict);
  return [...new Set(all)];
};
/** The group of names that left last. */
const groupOfLast = async (): Promise<number> => {
  const groups = (await desk.head())?.departures.groups?.groups ?? expect.fail("nobody left");
  return [...groups].sort((a, b) => a.at - b.at).at(-1)?.id ?? 0;
};

function report(names: readonly string[], group: number): Question {
  const sketch = newSketch();
  for (const name of names) addToSketch(sketch, fingerprint(desk.world.keyFor(D).names, name));
  return { since: null, want: null, asked: [[D, group, toBase64Url(packSketch(sketch))]] };
}
/** A reader reports names; until they are judged a minute passes. */
const tell = async (names: readonly string[], group: number): Promise<void> => {
  accepted(await core().question(report(names, group)));
};

describe("names that left and were asked for, and the deletion of the domain", () => {
  it("that comes before they are judged: none is held, and the domain ends as it does", async () => {
    await tell(LEFT, await groupOfLast());
    const end = await desk.remove();
    await advance(2 * MINUTE);
    expect(await brake()).toBeNull();
    expect(await headNumber()).toBe(end);
    await advance(DAY);
    expect(await verdicts([...LEFT, "u59"])).toEqual(["not-served"]);
  });

  it("after which the list is published again: they are held as soon as one more is asked for", async () => {
    const group = await groupOfLast();
    await tell(people(12), group);
    await desk.remove();
    await advance(2 * MINUTE);
    await desk.publish(STAYING);
    await tell(people(1, 19), await groupOfLast());
    await advance(MINUTE + WINDOW);
    expect(await brake()).toMatchObject({ held: 20 });
    await advance(DAY);
    expect(await verdicts(LEFT)).toEqual(["departed"]);
  });

  it("that is reported after it, while the domain is a tombstone: nobody is held", async () => {
    const group = await groupOfLast();
    await desk.remove();
    await tell(LEFT, group);
    await advance(2 * MINUTE);
    expect(await brake()).toBeNull();
    await desk.publish(STAYING);
    await advance(2 * MINUTE);
    expect(await brake()).toBeNull();
  });
});

describe("what a replica reports late, since it was offline when the names were held", () => {
  it("changes nothing while they are held", async () => {
    const group = await groupOfLast();
    await tell(LEFT, group);
    await advance(MINUTE);
    expect(await brake()).toMatchObject({ held: 20 });
    const head = await headNumber();
    await advance(6 * HOUR);
    await tell(LEFT, group);
    await advance(2 * MINUTE);
    expect(await headNumber()).toBe(head);
  });

  it("does not hold again whom a person released", async () => {
    const group = await groupOfLast();
    await tell(LEFT, group);
    await advance(MINUTE);
    accepted(await desk.core.release(D, await headNumber(), "somebody", null));
    const head = await headNumber();
    await tell(LEFT, group);
    await advance(2 * MINUTE);
    expect(await headNumber()).toBe(head);
    expect(await verdicts(LEFT)).toEqual(["unknown"]);
  });

  it("holds them if nobody else counted: with the day that it is reported in", async () => {
    const group = await groupOfLast();
    await advance(20 * HOUR);
    await tell(LEFT, group);
    await advance(2 * MINUTE);
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("does not count for those who left later, and are another group", async () => {
    const group = await groupOfLast();
    await tell(LEFT, group);
    await advance(MINUTE);
    await desk.publish(people(20, 40), { force: true });
    await tell(LEFT, group);
    await advance(2 * MINUTE);
    expect(await brake()).toMatchObject({ held: 20 });
    await advance(HOUR + WINDOW);
    expect(await verdicts(people(20, 20))).toEqual(["unknown"]);
    expect(await verdicts(LEFT)).toEqual(["departed"]);
  });
});

describe("names that left and were asked for, and a rollback", () => {
  it("that brings them back before they are judged: the brake is off, and nothing is made", async () => {
    await tell(LEFT, await groupOfLast());
    const head = await headNumber();
    accepted(await desk.rollback({ to: head - 1, expect: head }));
    const made = await headNumber();
    await advance(2 * MINUTE);
    expect(await brake()).toBeNull();
    expect(await headNumber()).toBe(made);
  });

  it("after which they leave once more: the names that were counted before do not count for that", async () => {
    await tell(people(9), await groupOfLast());
    await advance(MINUTE);
    const head = await headNumber();
    accepted(await desk.rollback({ to: head - 1, expect: head }));
    await advance(MINUTE);
    await desk.publish(STAYING, { force: true });
    const group = await groupOfLast();
    await tell(people(5, 9), group);
    await advance(2 * MINUTE);
    expect(await brake()).toBeNull();
    await tell(people(10, 5), group);
    await advance(2 * MINUTE);
    expect(await brake()).toMatchObject({ held: 20 });
  });

  it("that only returns to an older setting: they are held as before", async () => {
    await desk.publish(STAYING, { mode: "observe" });
    await tell(people(7), await groupOfLast());
    await advance(MINUTE);
    const head = await headNumber();
    accepted(await desk.rollback({ to: head - 1, expect: head }));
    await tell(people(7, 7), await groupOfLast());
    await advance(2 * MINUTE);
    expect(await brake()).toMatchObject({ held: 20, asked: 14 });
  });
});

describe("a restart of the Registry", () => {
  it("between two reports loses what was not a minute old, and the next ones count", async () => {
    const group = await groupOfLast();
    await tell(people(6), group);
    await advance(MINUTE);
    await tell(people(6, 6), group);
    await advance(30 * SECOND);
    desk.world.registry().restart();
    await advance(MINUTE);
    expect(await brake()).toBeNull();
    await tell(people(4, 12), group);
    await advance(MINUTE);
    expect(await brake()).toMatchObject({ held: 20, asked: 10 });
  });

  it("while they are held changes nothing", async () => {
    const group = await groupOfLast();
    await tell(LEFT, group);
    await advance(MINUTE);
    const head = await headNumber();
    desk.world.registry().restart();
    await tell(people(3), group);
    await advance(DAY);
    expect(await headNumber()).toBe(head);
    expect(await brake()).toMatchObject({ held: 20 });
    expect(await verdicts(LEFT)).toEqual(["departed"]);
  });
});
