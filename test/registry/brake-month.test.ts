/* The brake through a month of an ordinary large list: it never takes hold, and a mistake in the middle is held. */
import { describe, expect, it } from "vitest";
import type { Asked } from "../../src/api/index.ts";
import {
  addToSketch,
  fingerprint,
  groupOf,
  isSuspended,
  newSketch,
  packSketch,
  toBase64Url,
} from "../../src/directory/index.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../testing/world.ts";
import { FULL } from "../support/full.ts";
import { accepted, D, Desk } from "./support.ts";

const DAYS = FULL ? 30 : 6;
const SIZE = 300_000;
/** People who leave and who are suspended a day, and how often a day the directory says so. */
const LEAVERS = 300;
const SUSPENDED = 200;
const TIMES = 6;
/** Of those who are gone, two in three are still written to each day. */
const isWrittenTo = (name: string): boolean => Number(name.slice(1)) % 3 !== 0;
const DISABLED = 1;

/** A Registry of one large list, whose readers report what they are asked for. */
class Month {
  readonly desk = new Desk();
  readonly #key = this.desk.world.keyFor(D);
  #next = 0;
  /** Names that were asked for today, with when they left or were suspended. */
  #gone: { readonly name: string; readonly until: number; readonly at: number }[] = [];

  async open(): Promise<this> {
    await this.desk.open();
    await this.desk.publish(people(SIZE), { bits: 9 });
    return this;
  }

  get now(): number {
    return this.desk.world.clock.now();
  }

  async isHeld(): Promise<boolean> {
    return (accepted(await this.desk.core.domainsNamed([D]))[0]?.brake ?? null) !== null;
  }

  /** People leave and are suspended. */
  async change(): Promise<void> {
    const left = people(LEAVERS / TIMES, this.#next);
    const suspended = people(SUSPENDED / TIMES, this.#next + left.length);
    this.#next += left.length + suspended.length;
    for (const [names, state] of [
      [left, -1],
      [suspended, DISABLED],
    ] as const) {
      const changes = await this.desk.changes(Object.fromEntries(names.map((name) => [name, state])));
      accepted(await this.desk.world.clock.run(this.desk.core.patch(changes, "tester", null)));
      await this.left(names, state !== -1);
    }
    this.#gone = this.#gone.filter(({ at }) => at > this.now - 25 * HOUR);
  }

  /** Notes that names left with the head, if they did. */
  async left(names: readonly string[], suspended = false): Promise<void> {
    const { departures } = (await this.desk.head()) ?? expect.fail("no head");
    const groups = (departures.groups?.groups ?? []).filter(({ id }) => isSuspended(id) === suspended);
    const newest = groups.sort((a, b) => a.at - b.at).at(-1);
    if (newest === undefined || newest.at * 1000 < this.now - MINUTE) return;
    for (const name of names) this.#gone.push({ name, until: newest.id, at: this.now });
  }

  /** Readers report who was asked for since. */
  async report(names: ReadonlySet<string> | null = null): Promise<void> {
    const { departures } = (await this.desk.head()) ?? expect.fail("no head");
    const grid = departures.groups?.grid ?? 300;
    const sketches = new Map<number, Uint8Array>();
    for (const { name, until } of this.#gone) {
      if (!(names?.has(name) ?? isWrittenTo(name))) continue;
      const group = groupOf(until, grid);
      const sketch = sketches.get(group) ?? newSketch();
      addToSketch(sketch, fingerprint(this.#key.names, name));
      sketches.set(group, sketch);
    }
    const asked = [...sketches].map(([group, it]): Asked => [D, group, toBase64Url(packSketch(it))]);
    accepted(await this.desk.core.question({ since: null, want: null, asked }));
  }

  /** A day of ordinary life, in which everybody is written to once an hour. */
  async day(): Promise<void> {
    for (let time = 0; time < TIMES; time++) {
      await this.change();
      for (let hour = 0; hour < 24 / TIMES; hour++) {
        await this.report();
        await this.desk.world.clock.advance(HOUR);
      }
    }
  }

  /** A publish without the last names of the list, some of which are written to. @returns milliseconds until they are held */
  async mistake(count: number, askedFor: number): Promise<number | null> {
    const names = people(count, SIZE - count);
    const changed = new Set(people(this.#next));
    const list = people(SIZE - count).filter((name) => !changed.has(name));
    const commit = await this.desk.prepare(list, { bits: 9 });
    await this.desk.commit([{ ...commit, patched_kept: "" }]);
    await this.left(names);
    const asked = new Set(names.slice(0, askedFor));
    const begun = this.now;
    while (this.now < begun + 5 * MINUTE) {
      await this.report(asked);
      await this.desk.world.clock.advance(15 * SECOND);
      if (await this.isHeld()) return this.now - begun;
    }
    return null;
  }
}

describe(`${DAYS} days of 300 leavers and 200 suspensions each in a list of 300,000`, () => {
  it("never makes the brake take hold, and a mistake of five percent in the middle is held in two minutes", {
    timeout: 600_000,
  }, async () => {
    const month = await new Month().open();
    for (let day = 0; day < DAYS / 2; day++) {
      await month.day();
      expect([day, await month.isHeld()]).toEqual([day, false]);
    }
    const groups = (await month.desk.head())?.departures.groups?.groups ?? [];
    expect(groups.length).toBeGreaterThanOrEqual(TIMES);
    expect(await month.mistake(SIZE / 20, 400)).toBeLessThanOrEqual(2 * MINUTE);
    const { generation } = (await month.desk.head()) ?? expect.fail("no head");
    accepted(await month.desk.core.release(D, generation, "somebody", null));
    for (let day = DAYS / 2; day < DAYS; day++) {
      await month.day();
      expect([day, await month.isHeld()]).toEqual([day, false]);
    }
    expect(month.now).toBeGreaterThan(DAYS * DAY);
  });
});
