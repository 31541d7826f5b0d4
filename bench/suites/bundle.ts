import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Measurement, Suite } from "../report/measurement.ts";
import { cpuOf, run } from "../rig/processes.ts";
import { spreadOf } from "../rig/rounds.ts";
import { root, type Served, servePeer } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

/** Starts of each, as a multiple of the rounds. */
const STARTS_A_ROUND = 3;

/** What is deployed: its size, and what beginning with it costs. */
export const bundle: Suite = {
  name: "bundle",
  lacks: () => [],
  async run(extent, tell) {
    tell("wrangler deploy --dry-run");
    const size = await sizeOfBundle();
    tell("starts");
    return [size, await startUp(STARTS_A_ROUND * extent.rounds)];
  },
};

async function sizeOfBundle(): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), "rollcall-bench-bundle-"));
  try {
    const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
    await run(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", folder], {
      cwd: root,
      env: { WRANGLER_SEND_METRICS: "false" },
    });
    const bytes = readFileSync(join(folder, "worker.js"));
    return {
      id: "bundle.gzip",
      what: "the Worker as it is deployed, gzip",
      value: gzipSync(bytes, { level: 9 }).length,
      unit: "bytes",
      bar: { kind: "at most", value: 40 * 1024 },
      detail: { "bytes before": bytes.length },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** CPU of workerd from its start to its first answer, beyond what the bare Worker takes. */
async function startUp(starts: number): Promise<Measurement> {
  const world = await World.make();
  try {
    const ours: number[] = [];
    const bare: number[] = [];
    for (let i = 0; i < starts; i++) {
      bare.push(await cpuOfFirstAnswer(servePeer("bare.js", { TOKEN: "", ANSWER: "" })));
      ours.push(await cpuOfFirstAnswer(world.serve()));
    }
    const { median, lowest, highest } = spreadOf(ours.map((ms, i) => ms - (bare[i] as number)));
    return {
      id: "bundle.start-up-cpu",
      what: "start-up CPU to the first answer, beyond a bare Worker's",
      value: median,
      unit: "ms",
      lowest,
      highest,
      detail: { "ms of ours": spreadOf(ours).median, "ms of the bare Worker": spreadOf(bare).median, starts },
    };
  } finally {
    await world.end();
  }
}

async function cpuOfFirstAnswer(serving: Promise<Served>): Promise<number> {
  const served = await serving;
  try {
    await (await fetch(`${served.origin}/healthz`)).arrayBuffer();
    return cpuOf(served.pid);
  } finally {
    await served.stop();
  }
}
