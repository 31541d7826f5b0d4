/** Rows that the Registry writes over the whole life of a publish, by the real code in virtual time. */
import { Counters } from "../../src/registry/log/counters.ts";
import { DAY, MINUTE } from "../../testing/world.ts";
import type { Suite } from "../report/measurement.ts";
import { DOMAIN } from "../rig/lists.ts";
import { VirtualPublisher } from "../rig/virtual-publisher.ts";

/** After so many days as much is deleted as is added. History and KV keep one day here, the audit log twelve. */
const WARM_UP_DAYS = 14;
const MEASURED_DAYS = 4;
const PUBLISHES_A_DAY = 4;
/** Its list is in its manifest; that of the large one is in shards, of which a change replaces one. */
const SMALL = 500;
const LARGE = 20_000;

/** What happens in a day. */
export interface Day {
  readonly mailboxes: number;
  readonly publishes: number;
  /** Names that join with one publish, and leave with the next. */
  readonly changes: number;
  /** Whether isolates are asked all the time, and tell the Registry what they counted. */
  readonly isAsked: boolean;
}

/** @returns rows that the Registry writes a day, once days are alike */
export async function rowsADay({ mailboxes, publishes, changes, isAsked }: Day): Promise<number> {
  const publisher = new VirtualPublisher({ history: DAY });
  const { clock } = publisher.world;
  const names = (count: number, prefix: string): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  const list = names(mailboxes, "u");
  const counters = new Counters(publisher.world.registry().storage, { clock, timers: clock });
  const start = clock.now();
  const passTo = async (time: number): Promise<void> => {
    for (; isAsked && clock.now() + MINUTE / 3 < time; await clock.advance(MINUTE / 3))
      counters.add([[DOMAIN, "enforce", "deliverable", 1]]);
    await clock.advance(time - clock.now());
  };
  const live = async (from: number, days: number): Promise<void> => {
    for (let i = 0; i < days * publishes; i++) {
      await passTo(start + (from + i / publishes) * DAY);
      await publisher.publish(i % 2 === 0 ? [...list, ...names(changes, `n${from}x${i}x`)] : list);
    }
    await passTo(start + (from + days) * DAY);
  };
  await publisher.publish(list);
  await live(1, WARM_UP_DAYS);
  const rows = publisher.countRows();
  await live(1 + WARM_UP_DAYS, MEASURED_DAYS);
  return rows() / MEASURED_DAYS;
}

export const rows: Suite = {
  name: "rows",
  async run(_, tell) {
    tell(`${MEASURED_DAYS} days each, in virtual time`);
    const day: Day = { mailboxes: SMALL, publishes: 0, changes: 0, isAsked: false };
    const idle = await rowsADay(day);
    const asked = await rowsADay({ ...day, isAsked: true });
    const published = { ...day, publishes: PUBLISHES_A_DAY, changes: 1 };
    const one = await rowsADay(published);
    const sharded = await rowsADay({ ...published, mailboxes: LARGE });
    return (
      [
        ["day", "that an idle Registry writes a day", idle],
        ["minute", "a minute for what busy isolates counted", ((asked - idle) * MINUTE) / DAY],
        ["publish", "of a publish, over its whole life", (one - idle) / PUBLISHES_A_DAY],
        ["shard", "of each shard that a publish replaces", (sharded - one) / PUBLISHES_A_DAY],
      ] as const
    ).map(([id, what, value]) => ({ id: `rows.${id}`, what: `Registry rows ${what}`, value, unit: "count" }));
  },
};
