/** What the bridge holds after a flood of different names, each of which it has asked the edge about. */
import type { Extent, Measurement } from "../report/measurement.ts";
import { MAILBOXES } from "../rig/bridge-world.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { memoryOf } from "../rig/processes.ts";
import { type Asking, serveBridge } from "../rig/socketmap.ts";
import { type Questions, socketmapLoad } from "../rig/socketmap-load.ts";

/** More questions at the same time than the bridge has under way to the edge. */
const SHAPE = { connections: 4, atOnce: 32 } as const;

const MEGABYTE = 1024 * 1024;

/**
 * Many times the names that its memory has room for: what it holds does not grow after that. A million would take
 * eight minutes, each being asked of an edge that shares the machine. Fewer where it has to be quick.
 */
export async function bridgeMemory(
  asking: Asking,
  { isQuick }: Extent,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const names = isQuick ? 10_000 : 200_000;
  tell(`bridge: ${names.toLocaleString("en")} different names, each asked of the edge`);
  const bridge = await serveBridge(asking);
  try {
    const before = memoryOf(bridge.pid, "VmRSS") ?? 0;
    const begun = performance.now();
    await socketmapLoad(bridge.address, differentNames(names), SHAPE).ask(names);
    const seconds = (performance.now() - begun) / 1000;
    return [
      {
        id: "bridge.memory",
        what: `resident after ${names.toLocaleString("en")} different names`,
        value: memoryOf(bridge.pid, "VmRSS") ?? Number.NaN,
        unit: "bytes",
        bar: { kind: "at most", value: 100 * MEGABYTE },
        detail: {
          "at the start, bytes": before,
          "peak, bytes": memoryOf(bridge.pid, "VmHWM") ?? Number.NaN,
          names,
          "names a second, each asked of the edge": names / seconds,
        },
      },
    ];
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
