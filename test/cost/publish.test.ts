import { describe, expect, it } from "vitest";
import { FEW_ISOLATES, SECONDS_PER_MONTH } from "../../bench/cost/assumptions.ts";
import { readCounts } from "../../bench/cost/counts.ts";
import { RESULTS } from "../../bench/cost/document.ts";
import { ours, publishing } from "../../bench/cost/usage.ts";
import { VirtualPublisher } from "../../bench/rig/virtual-publisher.ts";
import { rowsADay } from "../../bench/suites/rows.ts";
import { people } from "../../testing/lists.ts";
import { DAY, HOUR } from "../../testing/world.ts";
import { FULL, ifFull } from "../support/full.ts";

/** The model beside the real client, workflow, edge and Registry. */
describe("a publish", () => {
  it.each([
    ["a small list, whose only shard is in the manifest", 500, 0],
    ["a list of eight shards", 70_000, 1],
  ])("of one change to %s costs what the model says", async (_, size, shards) => {
    const publisher = new VirtualPublisher();
    const { clock, kv } = publisher.world;
    const registry = publisher.world.registry();
    const count = () => ({
      requests: publisher.requests,
      registryCalls: registry.calls.length + registry.alarmRuns,
      kvReads: kv.operations.filter(({ kind }) => kind === "get").length,
      kvWrites: kv.operations.filter(({ kind }) => kind === "put").length,
    });
    await publisher.publish(people(size));
    await clock.advance(HOUR);
    const before = count();
    await publisher.publish(people(size + 1));
    const after = count();
    // The manifest and its shard; the roster waits for its heartbeat.
    const expected = { ...publishing(shards), kvWrites: 1 + shards };
    for (const [what, more] of Object.entries(expected))
      expect(after[what as keyof typeof after] - before[what as keyof typeof before], what).toBe(more);
  });

  const writesAsManyRows = async (
    _: string,
    mailboxes: number,
    changes: number,
    isAsked: boolean,
  ): Promise<void> => {
    const publishes = 2;
    const rows = await rowsADay({ mailboxes, publishes, changes, isAsked });
    const a = {
      ...FEW_ISOLATES,
      isolates: 1,
      coldStartsPerDay: 0,
      idleLife: 1e12,
      publishesPerDay: publishes,
      changesPerDay: publishes * changes,
    };
    const size = { mailboxes, checks: isAsked ? SECONDS_PER_MONTH : 0 };
    const predicted =
      (ours(size, a, readCounts(RESULTS)).monthly.rowsWritten / SECONDS_PER_MONTH) * (DAY / 1000);
    expect(rows / predicted).toBeGreaterThan(0.8);
    expect(rows / predicted).toBeLessThan(1.15);
  };
  it.each([["a small list", 700, 5, false]] as const)(
    "of %s writes as many rows as the model says",
    writesAsManyRows,
  );
  it.runIf(FULL).each([["a list in shards, of a Registry that is asked", 40_000, 3, true]] as const)(
    ifFull("of %s writes as many rows as the model says"),
    writesAsManyRows,
  );
});
