/** An attack: unknown names at a steady rate for ten minutes, and what the edge hears of it. */
import { pause } from "../../test/mta/support/waiting.ts";
import { atMost, type Measurement, type Suite } from "../report/measurement.ts";
import { countingProxy } from "../rig/counting-proxy.ts";
import { DOMAIN, MILLION, UNKNOWN } from "../rig/lists.ts";
import { temporaryFolder } from "../rig/processes.ts";
import { replicaToken, serveReplica } from "../rig/replica.ts";
import type { ServedBridge } from "../rig/socketmap.ts";
import { SocketmapConnection } from "../rig/socketmap-client.ts";
import { publishedWorld } from "../rig/world.ts";

interface Flood {
  readonly seconds: number;
  readonly names: number;
}
const WHOLE: Flood = { seconds: 600, names: 1_000_000 };
const QUICK: Flood = { seconds: 20, names: 20_000 };

/** Counts requests only, so it needs no quiet machine. */
export const flood: Suite = {
  name: "flood",
  async run({ isQuick }, tell) {
    const { world, mailboxes } = await publishedWorld(isQuick ? 100_000 : MILLION, tell);
    await using edge = await world.serve();
    await using counted = await countingProxy(edge.origin);
    using folder = temporaryFolder();
    const token = await replicaToken(world, edge.origin);
    await using bridge = await serveReplica({ origin: counted.origin, token }, folder);
    const wanted = isQuick ? QUICK : WHOLE;
    tell(`${wanted.names.toLocaleString("en")} unknown names in ${wanted.seconds} s`);
    return [await attack(wanted, bridge, counted.requests, mailboxes)];
  },
};

async function attack(
  { seconds, names }: Flood,
  bridge: ServedBridge,
  requests: () => ReadonlyMap<string, number>,
  mailboxes: number,
): Promise<Measurement> {
  using connection = await SocketmapConnection.open(bridge.address);
  const before = requests();
  const since = performance.now();
  const aSecond = Math.ceil(names / seconds);
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < aSecond; i++) {
      const reply = await connection.ask("recipients", `${UNKNOWN}-${second * aSecond + i}@${DOMAIN}`);
      if (reply !== "NOTFOUND") throw new Error(`the bridge answered ${reply} to an unknown name`);
    }
    await pause(Math.max(0, since + (second + 1) * 1000 - performance.now()));
  }
  const took = (performance.now() - since) / 1000;
  const sent = [...requests()].map(([path, count]) => [path, count - (before.get(path) ?? 0)] as const);
  const asked = aSecond * seconds;
  return {
    id: "flood.requests",
    what: `requests to the edge in ${seconds} s of ${asked.toLocaleString("en")} unknown names`,
    value: sent.reduce((sum, [, count]) => sum + count, 0),
    unit: "count",
    bar: atMost(50),
    detail: {
      ...Object.fromEntries(sent.filter(([, count]) => count > 0).map(([path, n]) => [`of ${path}`, n])),
      "names a second": asked / took,
      "seconds that it took": took,
      mailboxes,
    },
  };
}
