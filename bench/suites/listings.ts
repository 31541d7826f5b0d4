import { readFileSync, writeFileSync } from "node:fs";
import type { Extent, Measurement, Suite } from "../report/measurement.ts";
import { fillRegistry, LONG } from "../rig/filled-registry.ts";
import { isolateBytes } from "../rig/inspector.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

const NAMES = 1_000;
/** Memory of an object. */
const OBJECT = 128_000_000;
const HALF = OBJECT / 2;
const PATIENCE_MS = 60_000;

/** A Registry with very many domains and one very long history: its listings and its roster fit an object's memory. */
export const listings: Suite = {
  name: "listings",
  lacks: () => [],
  async run(extent, tell) {
    return [...(await measure(extent, false, tell)), ...(await measure(extent, true, tell))];
  },
};

async function measure(
  { isQuick }: Extent,
  isOld: boolean,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const domains = isQuick ? 5_000 : 100_000;
  const generations = isQuick ? 1_000 : 10_000;
  const world = await World.make();
  try {
    const before = await world.serve();
    await listen(before, world, "/v1/registry", "POST");
    await before.stop();
    tell(`filling a Registry with ${domains} domains${isOld ? " of the release before" : ""}`);
    const size = fillRegistry(world, { domains, names: NAMES, generations, isOld });
    const edge = await world.serve({ isInspected: true });
    try {
      tell("listing");
      // Once in a Registry's life, until its alarm has made summaries: whatever fits the object.
      const bar = isOld ? OBJECT : HALF;
      const suffix = isOld ? ".without-summaries" : "";
      const name = isOld ? ", of a release without summaries" : "";
      const measured = [
        await pages(edge, world, {
          id: `listings.domains${suffix}`,
          what: `${domains.toLocaleString("en")} domains of ${NAMES.toLocaleString("en")} mailboxes${name}`,
          path: "/v1/domains",
          field: "domains",
          bar,
          detail: { "database bytes": size },
        }),
        await pages(edge, world, {
          id: `listings.history${suffix}`,
          what: `${generations.toLocaleString("en")} generations of one domain${name}`,
          path: `/v1/domains/${LONG}/generations`,
          field: "generations",
          bar,
          detail: {},
        }),
      ];
      return isOld ? measured : [...measured, await roster(edge, world, domains, tell)];
    } finally {
      await edge.stop();
    }
  } finally {
    await world.end();
  }
}

interface Listing {
  readonly id: string;
  readonly what: string;
  readonly path: string;
  readonly field: string;
  /** Bytes by which the process may grow. */
  readonly bar: number;
  readonly detail: Readonly<Record<string, number>>;
}

/** Reads all pages; what the process grew by meanwhile is the figure. */
async function pages(edge: ServedEdge, world: World, listing: Listing): Promise<Measurement> {
  const { id, what, path, field, bar, detail } = listing;
  const since = await beginPeak(edge);
  let lines = 0;
  let bytes = 0;
  let slowest = 0;
  const begun = performance.now();
  for (let after: string | number | null = null; ; ) {
    const pageBegun = performance.now();
    const from: string = after === null ? "" : `&after=${after}`;
    const text: string = await listen(edge, world, `${path}?limit=1000${from}`);
    slowest = Math.max(slowest, performance.now() - pageBegun);
    bytes = Math.max(bytes, text.length);
    const page = JSON.parse(text) as Record<string, unknown[]> & { next: string | number | null };
    lines += (page[field] as unknown[]).length;
    after = page.next;
    if (after === null) break;
  }
  const seconds = (performance.now() - begun) / 1_000;
  const grown = peak(edge.pid) - since;
  const { heap, buffers } = await isolateBytes(edge);
  return {
    id,
    what: `${what}, page by page: growth of the process at its peak`,
    value: Math.max(0, grown),
    unit: "bytes",
    bar: { kind: "at most", value: bar },
    detail: {
      lines,
      "ms of all pages": Math.round(seconds * 1_000),
      "ms of the slowest page": Math.round(slowest),
      "bytes of the largest answer": bytes,
      "heap bytes": heap,
      "buffer bytes": buffers,
      ...detail,
    },
  };
}

/** The roster of all domains, as an alarm puts it into KV. */
async function roster(
  edge: ServedEdge,
  world: World,
  domains: number,
  tell: (line: string) => void,
): Promise<Measurement> {
  tell("the roster");
  const since = await beginPeak(edge);
  const begun = performance.now();
  await world.checkToken(edge);
  let written = 0;
  while (written === 0 && performance.now() - begun < PATIENCE_MS) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    written = (await world.kv.counts()).bytes.roster ?? 0;
  }
  return {
    id: "listings.roster",
    what: `roster of ${domains.toLocaleString("en")} domains into KV: growth of the process at its peak`,
    value: Math.max(0, peak(edge.pid) - since),
    unit: "bytes",
    bar: { kind: "at most", value: HALF },
    detail: { "roster bytes": written, "ms until it is there": Math.round(performance.now() - begun) },
  };
}

async function listen(edge: ServedEdge, world: World, path: string, method = "GET"): Promise<string> {
  const response = await fetch(`${edge.origin}${path}`, {
    method,
    headers: { Authorization: `Bearer ${world.admin}` },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.text();
}

/** Lets go of garbage and has the process count its peak again. @returns what it holds now */
async function beginPeak(edge: ServedEdge): Promise<number> {
  await isolateBytes(edge);
  writeFileSync(`/proc/${edge.pid}/clear_refs`, "5");
  return peak(edge.pid);
}

/** Bytes that a process held at its peak. */
const peak = (pid: number): number =>
  1024 * Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN);
