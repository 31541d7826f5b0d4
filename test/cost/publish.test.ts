import { describe, expect, it } from "vitest";
import { publishing } from "../../bench/cost/usage.ts";
import { createClient } from "../../src/client/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { Edge } from "../../src/edge/serve.ts";
import { memorySource, publishLists } from "../../src/publish/index.ts";
import { HOUR, MINUTE, World } from "../../testing/world.ts";
import { type Lines, names } from "../support/lists.ts";

const D = "example.com";

/** The real client, planner, edge and Registry; what they ask of each other is counted. */
class Counted {
  readonly world = new World();
  readonly #edge = new Edge(this.world.settings, this.world.ports);
  #requests = 0;

  readonly #client = createClient({
    url: "https://rollcall.test",
    token: this.world.settings.adminToken,
    now: () => this.world.clock.now(),
    sleep: (ms) => this.world.clock.sleep(ms),
    fetch: async (input, init) => {
      this.#requests++;
      return this.#edge.handle(new Request(input, init), {
        kv: this.world.kv.at("here"),
        registry: (partition) => this.world.registry(partition).link("here", { partition, partitions: 1 }),
        background: (work) => void work.catch(() => undefined),
        kvCacheTtl: () => 30,
      });
    },
  });

  /** Does as `rollcall publish` does, and waits until KV has it. */
  async publish(
    lines: Lines,
  ): Promise<{ requests: number; registryCalls: number; kvReads: number; kvWrites: number }> {
    const { clock, kv } = this.world;
    const registry = this.world.registry();
    const before = { calls: registry.calls.length + registry.alarmRuns, operations: kv.operations.length };
    this.#requests = 0;
    await clock.run(this.#publish(lines));
    await clock.advance(MINUTE);
    const made = kv.operations.slice(before.operations);
    return {
      requests: this.#requests,
      registryCalls: registry.calls.length + registry.alarmRuns - before.calls,
      kvReads: made.filter(({ kind }) => kind === "get").length,
      kvWrites: made.filter(({ kind }) => kind === "put").length,
    };
  }

  async #publish(lines: Lines): Promise<void> {
    const source = memorySource(
      "list",
      lines.map(([local, state]) => [`${local}@${D}`, state] as const),
    );
    await publishLists(
      {
        client: this.#client,
        hashing: stablelibHashing,
        timers: this.world.clock,
        recorder: null,
        progress: {},
        confirm: async () => undefined,
      },
      [{ domain: D, source, policy: {}, canaries: [] }],
    );
  }
}

describe("a publish", () => {
  it.each([
    ["a small list, whose only shard stands in the manifest", 500, 0],
    ["a list of eight shards", 70_000, 1],
  ])("of one change to %s takes what the model says", async (_, size, shards) => {
    const counted = new Counted();
    const lines = names(size);
    await counted.publish(lines);
    await counted.world.clock.advance(HOUR);
    const { kvWrites, ...taken } = await counted.publish([...lines, ["new", "active"]]);
    expect(taken).toEqual(publishing(shards));
    // The manifest and its shard; the roster waits for its heartbeat.
    expect(kvWrites).toBe(1 + shards);
  });
});
