import type { Suite } from "../report/measurement.ts";
import { interleave } from "../rig/rounds.ts";
import { publishedWorld } from "../rig/world.ts";
import { drive, lacksWrk } from "../rig/wrk.ts";
import { MILLION } from "./checks.ts";
import { namesOf, touchAllShards, warmUp } from "./loads.ts";

const RECIPIENTS = 1_000;
/** Enough to keep one isolate busy. */
const CONNECTIONS = 4;

/** Checks a second where a thousand come in one request, beside checks one by one. */
export const batch: Suite = {
  name: "batch",
  lacks: lacksWrk,
  async run(extent, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    const edge = await world.serve();
    try {
      const one = { token, method: "POST", ...namesOf(MILLION).known } as const;
      const many = { ...one, batch: RECIPIENTS, connections: CONNECTIONS };
      tell(`batches of ${RECIPIENTS} and single checks`);
      await touchAllShards(edge.origin, token, MILLION);
      for (const load of [one, many]) await warmUp(edge.origin, load, extent);
      const compared = await interleave(
        extent.rounds,
        async () => (await drive(edge.origin, one, extent.seconds)).rate,
        async () => RECIPIENTS * (await drive(edge.origin, many, extent.seconds)).rate,
      );
      return [
        {
          id: "batch.post.known",
          what: `POST of ${RECIPIENTS.toLocaleString("en")}, checks a second against single checks`,
          value: compared.ratio.median,
          unit: "x",
          lowest: compared.ratio.lowest,
          highest: compared.ratio.highest,
          bar: { kind: "at least", value: 40 },
          detail: {
            "checks a second": compared.ours.median,
            "single checks a second": compared.theirs.median,
            mailboxes: MILLION,
          },
        },
      ];
    } finally {
      await edge.stop();
    }
  },
};
