/** A Registry with very many domains and one very long history: its listings and its roster fit an object's memory. */
import { until } from "../../test/mta/support/waiting.ts";
import { atMost, type Extent, type Measurement, type Suite, type Tell } from "../report/measurement.ts";
import { fillRegistry, LONG } from "../rig/filled-registry.ts";
import { isolateBytes } from "../rig/inspector.ts";
import { memoryOf, resetPeak } from "../rig/processes.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

const NAMES = 1_000;
/** Memory of an object. */
const OBJECT = 128_000_000;

export const listings: Suite = {
  name: "listings",
  run: measure,
};

async function measure({ isQuick }: Extent, tell: Tell): Promise<Measurement[]> {
  const domains = isQuick ? 5_000 : 100_000;
  const generations = isQuick ? 1_000 : 10_000;
  await using world = await World.make();
  {
    await using edge = await world.serve();
    await world.api(edge, "/v1/registry", "POST");
  }
  tell(`filling a Registry with ${domains} domains`);
  const size = fillRegistry(world, { domains, names: NAMES, generations });
  await using edge = await world.serve({ isInspected: true });
  tell("listing");
  const bar = OBJECT / 2;
  const ofDomains = {
    id: "listings.domains",
    what: `${domains.toLocaleString("en")} domains of ${NAMES.toLocaleString("en")} mailboxes`,
    detail: { "database bytes": size },
  };
  const ofHistory = {
    id: "listings.history",
    what: `${generations.toLocaleString("en")} generations of one domain`,
  };
  const measured = [
    await readPages(edge, world, "/v1/domains", "domains", bar, ofDomains),
    await readPages(edge, world, `/v1/domains/${LONG}/generations`, "generations", bar, ofHistory),
  ];
  return [...measured, await roster(edge, world, domains, tell)];
}

/** Reads all pages of a listing; the figure is what the process grew by meanwhile. @param field of the lines */
async function readPages(
  edge: ServedEdge,
  world: World,
  path: string,
  field: string,
  bar: number,
  { id, what, detail }: Pick<Measurement, "id" | "what" | "detail">,
): Promise<Measurement> {
  const growth = await growthOf(edge);
  let [lines, bytes, slowest] = [0, 0, 0];
  const since = performance.now();
  for (let after: string | number | null | undefined; after !== null; ) {
    const pageSince = performance.now();
    const text = await world.api(edge, `${path}?limit=1000${after === undefined ? "" : `&after=${after}`}`);
    slowest = Math.max(slowest, performance.now() - pageSince);
    bytes = Math.max(bytes, text.length);
    const page = JSON.parse(text) as Record<string, unknown[]> & { readonly next: string | number | null };
    lines += page[field]?.length ?? 0;
    after = page.next;
  }
  const ms = performance.now() - since;
  const value = growth();
  const { heap, buffers } = await isolateBytes(edge);
  return {
    id,
    what: `${what}, page by page: growth of the process at its peak`,
    value,
    unit: "bytes",
    bar: atMost(bar),
    detail: {
      lines,
      "ms of all pages": Math.round(ms),
      "ms of the slowest page": Math.round(slowest),
      "bytes of the largest answer": bytes,
      "heap bytes": heap,
      "buffer bytes": buffers,
      ...detail,
    },
  };
}

/** The roster of all domains, as an alarm puts it into KV. */
async function roster(edge: ServedEdge, world: World, domains: number, tell: Tell): Promise<Measurement> {
  tell("the roster");
  const growth = await growthOf(edge);
  const since = performance.now();
  await world.checkToken(edge);
  let written = 0;
  const isWritten = async (): Promise<boolean> => {
    written = (await world.kv.counts()).bytes.roster ?? 0;
    return written > 0;
  };
  await until("the roster is in KV", isWritten, 60_000);
  return {
    id: "listings.roster",
    what: `roster of ${domains.toLocaleString("en")} domains into KV: growth of the process at its peak`,
    value: growth(),
    unit: "bytes",
    bar: atMost(OBJECT / 2),
    detail: { "roster bytes": written, "ms until it is there": Math.round(performance.now() - since) },
  };
}

/** Collects garbage. @returns by how much the process has grown since, at its peak */
async function growthOf(edge: ServedEdge): Promise<() => number> {
  const peak = (): number => memoryOf(edge.pid, "VmHWM") ?? Number.NaN;
  await isolateBytes(edge);
  resetPeak(edge.pid);
  const before = peak();
  return () => Math.max(0, peak() - before);
}
