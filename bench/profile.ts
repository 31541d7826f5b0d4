/**
 * What the time of a check consists of: a CPU profile of the edge under load, by module of the source.
 *
 *   npm run bench:profile -- [--mailboxes N] [--seconds N]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inspect } from "./rig/inspector.ts";
import { root } from "./rig/processes.ts";
import type { ServedEdge } from "./rig/workerd.ts";
import { endWorlds, publishedWorld } from "./rig/world.ts";
import { drive, type Load } from "./rig/wrk.ts";
import { namesOf, touchAllShards } from "./suites/loads.ts";

/** Between two samples, microseconds. */
const INTERVAL = 100;
/** Least share of a module that has a line of its own. */
const SHOWN = 0.005;

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
}

/** The module of each line of the bundle, by the comments that esbuild puts before each. */
function modulesOfLines(): string[] {
  let module = "(bundle)";
  return readFileSync(join(root, "dist/edge/worker.js"), "utf8")
    .split("\n")
    .map((line) => {
      const path = /^\/\/ ((?:src|node_modules)\/\S+)$/.exec(line)?.[1];
      if (path !== undefined) module = path.replace(/^node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, "$1");
      return module;
    });
}

/** Share of the busy time by module; natively implemented functions by their own name. */
function sharesOf({ nodes, samples }: Profile, modules: readonly string[]): Map<string, number> {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => [
      id,
      url.endsWith("worker.js")
        ? (modules[lineNumber] ?? "(bundle)")
        : functionName === "(program)"
          ? "workerd: HTTP, sockets, event loop"
          : functionName === "(garbage collector)"
            ? "garbage collection"
            : `workerd: ${functionName || "getters and callbacks"}`,
    ]),
  );
  const busy = samples.map((id) => names.get(id) as string).filter((name) => name !== "workerd: (idle)");
  const shares = new Map<string, number>();
  for (const name of busy) shares.set(name, (shares.get(name) ?? 0) + 1 / busy.length);
  return shares;
}

async function profile(edge: ServedEdge, load: Load, seconds: number): Promise<Map<string, number>> {
  await drive(edge.origin, load, 2);
  const profile = await inspect(edge, async (call) => {
    await call("Profiler.enable");
    await call("Profiler.setSamplingInterval", { interval: INTERVAL });
    await call("Profiler.start");
    await drive(edge.origin, load, seconds);
    return ((await call("Profiler.stop")) as { profile: Profile }).profile;
  });
  return sharesOf(profile, modulesOfLines());
}

const { values } = parseArgs({
  options: { mailboxes: { type: "string", default: "1000000" }, seconds: { type: "string", default: "5" } },
});
const { world, token, mailboxes } = await publishedWorld(Number(values.mailboxes), console.error);
{
  await using edge = await world.serve({ isInspected: true });
  await touchAllShards(edge.origin, token, mailboxes);
  const { known } = namesOf(mailboxes);
  for (const [name, load] of Object.entries({
    "GET, random known names": { token, method: "GET", ...known },
    "POST, random known names": { token, method: "POST", ...known },
    "POST of 1,000 random known names": { token, method: "POST", ...known, batch: 1_000, connections: 4 },
  } satisfies Record<string, Load>)) {
    const shares = [...(await profile(edge, load, Number(values.seconds)))].sort((a, b) => b[1] - a[1]);
    const rest = shares.filter(([, share]) => share < SHOWN).reduce((sum, [, share]) => sum + share, 0);
    console.log(`\n| ${name} | share |\n|---|---|`);
    for (const [module, share] of [
      ...shares.filter(([, share]) => share >= SHOWN),
      ["the rest", rest] as const,
    ])
      console.log(`| ${module} | ${(100 * share).toFixed(1)} % |`);
  }
}
await endWorlds();
