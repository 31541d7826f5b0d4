import type { Measurement, Suite } from "../report/measurement.ts";
import { total } from "../rig/kv.ts";
import { publishedWorld } from "../rig/world.ts";
import { lacksWrk } from "../rig/wrk.ts";
import { measureAgainstBare } from "./against-bare.ts";

export const MILLION = 1_000_000;

/** Single checks at a million mailboxes, beside a Worker that answers a constant. */
export const checks: Suite = {
  name: "checks",
  lacks: lacksWrk,
  async run(extent, tell) {
    const published = await publishedWorld(MILLION, tell);
    const { world } = published;
    const edge = await world.serve();
    await world.kv.reset();
    try {
      const bar = { kind: "at least", value: 0.85, aim: 0.92 } as const;
      const measured = await measureAgainstBare(edge, published, "checks", bar, extent, tell);
      return [...measured, await readsOf(published)];
    } finally {
      await edge.stop();
    }
  },
};

async function readsOf({
  world,
}: {
  world: { kv: { counts(): Promise<{ reads: Record<string, number> }> } };
}): Promise<Measurement> {
  const { reads } = await world.kv.counts();
  return {
    id: "checks.kv-reads",
    what: "KV reads behind all of these checks",
    value: total(reads),
    unit: "count",
  };
}
