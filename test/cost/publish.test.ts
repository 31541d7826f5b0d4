import { describe, expect, it } from "vitest";
import { publishing } from "../../bench/cost/usage.ts";
import { createClient } from "../../src/client/index.ts";
import { Edge } from "../../src/edge/serve.ts";
import { baseOf, planDomain, upload } from "../../src/publish/index.ts";
import { HOUR, MINUTE, World } from "../../testing/world.ts";
import { type Lines, names, packed } from "../support/lists.ts";

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
    const client = this.#client;
    await client.key(D);
    const head = await client.domain(D);
    const base = head === null ? null : baseOf(head, (id) => client.shard(D, id));
    const key = this.world.keyFor(D);
    const bits = base?.list.table.bits;
    const list = packed(lines, { domain: D, ...(bits === undefined ? {} : { bitsInUse: bits }) });
    const plan = await planDomain(
      { domain: D, key, partition: 0, packed: list, policy: {}, canaries: [] },
      base,
    );
    await upload(client, [plan], { sleep: (ms) => this.world.clock.sleep(ms) });
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
