/** What the bridge holds after a flood of different names, each of which it has asked the edge about. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Extent, Measurement } from "../report/measurement.ts";
import { MAILBOXES } from "../rig/bridge-world.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { memoryOf } from "../rig/processes.ts";
import { type Asking, serveBridge } from "../rig/socketmap.ts";
import { type Questions, socketmapLoad } from "../rig/socketmap-load.ts";

/** More questions at the same time than the bridge has under way to the edge. */
const SHAPE = { connections: 4, atOnce: 32 } as const;

const MEGABYTE = 1024 * 1024;

/** What a mail host runs: Debian's own Node, another one than the benchmark's. */
const DEBIANS_NODE = "/usr/bin/node";

/** Many times the names that its memory has room for: what it holds does not grow after that. Fewer if quick. */
export async function bridgeMemory(
  asking: Asking,
  { isQuick }: Extent,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const names = isQuick ? 10_000 : 1_000_000;
  tell(`bridge: ${names.toLocaleString("en")} different names, each asked of the edge`);
  const measured = [await measure("bridge.memory", asking, process.execPath, names)];
  if (existsSync(DEBIANS_NODE)) {
    measured.push(await measure("bridge.memory.debian", asking, DEBIANS_NODE, names));
  }
  return measured;
}

async function measure(id: string, asking: Asking, node: string, names: number): Promise<Measurement> {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim().replace(/^v/, "");
  const bridge = await serveBridge(asking, node);
  try {
    const before = memoryOf(bridge.pid, "VmRSS") ?? 0;
    const begun = performance.now();
    await socketmapLoad(bridge.address, differentNames(names), SHAPE).ask(names);
    const seconds = (performance.now() - begun) / 1000;
    return {
      id,
      what: `resident after ${names.toLocaleString("en")} different names, on Node ${version}`,
      value: memoryOf(bridge.pid, "VmRSS") ?? Number.NaN,
      unit: "bytes",
      bar: { kind: "at most", value: 100 * MEGABYTE },
      detail: {
        "at the start, bytes": before,
        "peak, bytes": memoryOf(bridge.pid, "VmHWM") ?? Number.NaN,
        names,
        "names a second, each asked of the edge": names / seconds,
      },
    };
  } finally {
    await bridge.stop();
  }
}

/** Half of the names exist: mailboxes of the list with a subaddress of their own. */
const differentNames = (count: number): Questions => ({
  table: "recipients",
  keys: Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? `${KNOWN}${i % MAILBOXES}+${i}@${DOMAIN}` : `${UNKNOWN}${i}@${DOMAIN}`,
  ),
  value: (name) => (name.startsWith(KNOWN) ? "deliverable" : null),
});
