/** What the bridge holds after a flood of different names, each of which it asked the edge about. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { atMost, type Extent, type Measurement, type Tell } from "../report/measurement.ts";
import { MAILBOXES } from "../rig/bridge-world.ts";
import { DOMAIN, isKnown, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { memoryOf } from "../rig/processes.ts";
import { type Asking, serveBridge } from "../rig/socketmap.ts";
import { type Questions, socketmapLoad } from "../rig/socketmap-load.ts";

/** More questions at a time than the bridge sends to the edge at once. */
const SHAPE = { connections: 4, atOnce: 32 } as const;
const MEGABYTE = 1024 * 1024;

/** Debian's Node, which mail hosts run; the benchmark's is another. */
const NODES = { "bridge.memory": process.execPath, "bridge.memory.debian": "/usr/bin/node" };

/** Many times the names that its memory has room for: what it holds does not grow after that. Fewer if quick. */
export async function bridgeMemory(asking: Asking, { isQuick }: Extent, tell: Tell): Promise<Measurement[]> {
  const names = isQuick ? 10_000 : 1_000_000;
  tell(`bridge: ${names.toLocaleString("en")} different names, each asked of the edge`);
  const measured: Measurement[] = [];
  for (const [id, node] of Object.entries(NODES).filter(([, path]) => existsSync(path))) {
    const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim().replace(/^v/, "");
    await using bridge = await serveBridge(asking, { node });
    const before = memoryOf(bridge.pid, "VmRSS") ?? 0;
    const rate = await socketmapLoad(bridge.address, differentNames(names), SHAPE).ask(names);
    measured.push({
      id,
      what: `resident after ${names.toLocaleString("en")} different names, on Node ${version}`,
      value: memoryOf(bridge.pid, "VmRSS") ?? Number.NaN,
      unit: "bytes",
      bar: atMost(100 * MEGABYTE),
      detail: {
        "at the start, bytes": before,
        "peak, bytes": memoryOf(bridge.pid, "VmHWM") ?? Number.NaN,
        names,
        "names a second, each asked of the edge": rate,
      },
    });
  }
  return measured;
}

/** Half of the names exist: mailboxes of the list with a subaddress of their own. */
const differentNames = (count: number): Questions => ({
  table: "recipients",
  keys: Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? `${KNOWN}${i % MAILBOXES}+${i}@${DOMAIN}` : `${UNKNOWN}${i}@${DOMAIN}`,
  ),
  value: (name) => (isKnown(name) ? "deliverable" : null),
});
