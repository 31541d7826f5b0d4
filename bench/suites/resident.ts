import type { Suite } from "../report/measurement.ts";
import { publishedWorld } from "../rig/world.ts";
import { lacksWrk } from "../rig/wrk.ts";
import { measureAgainstBare, measureResident } from "./against-bare.ts";
import { MILLION } from "./checks.ts";

/** Single checks at ten million mailboxes in one domain, all resident in one isolate; a million where it is quick. */
export const resident: Suite = {
  name: "resident",
  lacks: lacksWrk,
  async run(extent, tell) {
    const published = await publishedWorld(extent.isQuick ? MILLION : 10 * MILLION, tell);
    const held = await measureResident(published, "resident");
    // At a million this is what `checks` measures.
    if (extent.isQuick) return [held];
    const edge = await published.world.serve();
    try {
      const bar = { kind: "at least", value: 0.78, aim: 0.88 } as const;
      return [...(await measureAgainstBare(edge, published, "resident", bar, extent, tell)), held];
    } finally {
      await edge.stop();
    }
  },
};
