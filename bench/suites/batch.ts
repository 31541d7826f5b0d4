/** A check in a list of a thousand, beside the HMAC and the JSON that it cannot do without. */

import { join } from "node:path";
import { buildSync } from "esbuild";
import { atLeast, type Spread, type Suite } from "../report/measurement.ts";
import { DOMAIN, KNOWN, MILLION } from "../rig/lists.ts";
import { root } from "../rig/processes.ts";
import { servePeer } from "../rig/workerd.ts";
import { publishedWorld } from "../rig/world.ts";
import { lacksWrk } from "../rig/wrk.ts";
import { BATCH, compareUnder, namesOf, post, touchAllShards } from "./loads.ts";

/** Enough to keep one isolate busy. */
const CONNECTIONS = 4;

export const batch: Suite = {
  name: "batch",
  lacks: lacksWrk,
  async run(extent, tell) {
    const { world, token } = await publishedWorld(MILLION, tell);
    await using edge = await world.serve();
    await touchAllShards(edge.origin, token, MILLION);
    const SAMPLE = await post(edge.origin, token, { recipient: `${KNOWN}12345@${DOMAIN}` });
    await using bare = await servePeer(bundled("hmac-and-json"), { TOKEN: token, SAMPLE });
    tell(`batches of ${BATCH}, beside a Worker that computes HMAC and JSON alone`);
    const load = {
      token,
      method: "POST",
      ...namesOf(MILLION).known,
      batch: BATCH,
      connections: CONNECTIONS,
    } as const;
    const { ratio, ours, theirs } = await compareUnder(load, edge.origin, bare.origin, extent);
    const what = `POST of ${BATCH.toLocaleString("en")} random known names`;
    const micros = { ours: microsOf(ours), bare: microsOf(theirs) };
    return [
      {
        id: "batch.micros",
        what: `${what}: time a check`,
        ...micros.ours,
        unit: "µs",
        detail: {
          "bare HMAC and JSON, µs a check": micros.bare.value,
          "checks a second": BATCH * ours.value,
          mailboxes: MILLION,
        },
      },
      {
        id: "batch.against-bare",
        what: `${what}, against bare HMAC and JSON`,
        ...ratio,
        unit: "x",
        bar: atLeast(0.5),
        detail: { "µs a check": micros.ours.value, "bare, µs a check": micros.bare.value },
      },
    ];
  },
};

/** Batches a second as microseconds a check. */
const microsOf = ({ value, lowest, highest }: Spread): Spread => {
  const micros = (rate: number): number => 1e6 / (BATCH * rate);
  return { value: micros(value), lowest: micros(highest), highest: micros(lowest) };
};

/** Bundles a peer that uses code of the edge. @returns its path from bench/peers */
function bundled(name: string): string {
  const file = `../../dist/bench/${name}.js`;
  buildSync({
    absWorkingDir: root,
    entryPoints: [`bench/peers/${name}.ts`],
    outfile: join("bench/peers", file),
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
  });
  return file;
}
