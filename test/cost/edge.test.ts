import { beforeEach, describe, expect, it } from "vitest";
import { FEW_ISOLATES, SECONDS_PER_MONTH } from "../../bench/cost/assumptions.ts";
import { ours, shapeOf } from "../../bench/cost/usage.ts";
import type { IsolateHost } from "../../testing/isolate-host.ts";
import { people } from "../../testing/lists.ts";
import { HOUR, MINUTE, World } from "../../testing/world.ts";
import { ROUND } from "./counts.ts";

const D = "example.com";
const MAILBOXES = 14_000;
const HOURS = 6;

/** The model beside the real edge, in virtual time: one isolate that is asked at random times. */
describe.each([2, 20, 90])("an isolate that is asked every %d seconds", (gap) => {
  let world: World;
  let isolate: IsolateHost;
  const size = { mailboxes: MAILBOXES, checks: SECONDS_PER_MONTH / gap };
  const alone = { ...FEW_ISOLATES, isolates: 1, coldStartsPerDay: 0, idleLife: 1e12, changesPerDay: 0 };
  const hours = (monthly: number): number => (monthly / SECONDS_PER_MONTH) * HOURS * 3600;

  beforeEach(async () => {
    world = new World();
    isolate = world.isolate();
    await world.publish(isolate, D, people(MAILBOXES), { bits: 1 });
    await world.clock.advance(MINUTE);
    for (let i = 0; i < 20; i++) await isolate.check(`u${i}@${D}`);
    await isolate.idle();
  });

  /** Asks at random times, about known and unknown names in turn. */
  async function ask(): Promise<void> {
    let state = 1;
    const random = (): number => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const end = world.clock.now() + HOURS * HOUR;
    for (let i = 0; world.clock.now() < end; i++) {
      await world.clock.advance(-Math.log(random()) * gap * 1000);
      await isolate.check(i % 2 === 0 ? `u${i}@${D}` : `nobody${i}@${D}`);
      await isolate.idle();
    }
  }

  it("asks the Registry and KV as often as the model says", async () => {
    const start = world.clock.now();
    await ask();
    const questions = world
      .registry()
      .calls.filter(({ method, time }) => method === "question" && time >= start);
    const expected = hours(shapeOf(size, alone, ROUND).refreshes);
    expect(questions.length).toBeGreaterThan(0.9 * expected);
    expect(questions.length).toBeLessThan(1.1 * expected);

    const reads = world.kv.operations.filter(({ kind, time }) => kind === "get" && time >= start);
    const keys = reads.flatMap((read) => read.keys);
    const predicted = hours(ours(size, alone, ROUND).monthly.kvReads);
    // Where a read comes once in hours, chance decides.
    expect(keys.length).toBeGreaterThan(0.75 * predicted - 3);
    expect(keys.length).toBeLessThan(1.05 * predicted + 3);
    expect(keys.filter((key) => key.startsWith("shard/"))).toEqual([]);
  });
});
