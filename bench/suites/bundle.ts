/** What is deployed: its size, and what starting with it costs. */
import { gzipSync } from "node:zlib";
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { cpuOf } from "../rig/processes.ts";
import { median, spreadOf } from "../rig/rounds.ts";
import { type Served, servePeer } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";
import { deployedBundle } from "../rig/wrangler.ts";

/** Starts of each, as a multiple of the rounds. */
const STARTS_A_ROUND = 3;

export const bundle: Suite = {
  name: "bundle",
  async run(extent, tell) {
    tell("wrangler deploy --dry-run");
    const bytes = await deployedBundle();
    tell("starts");
    return [
      {
        id: "bundle.gzip",
        what: "the Worker as it is deployed, gzip",
        value: gzipSync(bytes, { level: 9 }).length,
        unit: "bytes",
        bar: atMost(40 * 1024),
        detail: { "bytes before": bytes.length },
      },
      await startUp(STARTS_A_ROUND * extent.rounds),
    ];
  },
};

/** CPU of workerd from its start to its first answer, beyond what the bare Worker takes. */
async function startUp(starts: number): Promise<Measurement> {
  await using world = await World.make();
  const [ours, bare]: [number[], number[]] = [[], []];
  for (let i = 0; i < starts; i++) {
    bare.push(await cpuOfFirstAnswer(servePeer("bare.js", { TOKEN: "", ANSWER: "" })));
    ours.push(await cpuOfFirstAnswer(world.serve()));
  }
  return {
    id: "bundle.start-up-cpu",
    what: "start-up CPU to the first answer, beyond a bare Worker's",
    ...spreadOf(ours.map((ms, i) => ms - (bare[i] as number))),
    unit: "ms",
    detail: { "ms of ours": median(ours), "ms of the bare Worker": median(bare), starts },
  };
}

async function cpuOfFirstAnswer(serving: Promise<Served>): Promise<number> {
  await using served = await serving;
  await (await fetch(`${served.origin}/healthz`)).arrayBuffer();
  return cpuOf(served.pid);
}
