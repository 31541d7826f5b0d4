import type { Suite } from "../report/measurement.ts";
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
    const edge = await published.world.serve();
    try {
      const bar = { kind: "at least", value: 0.85, aim: 0.92 } as const;
      return await measureAgainstBare(edge, published, "checks", bar, extent, tell);
    } finally {
      await edge.stop();
    }
  },
};
