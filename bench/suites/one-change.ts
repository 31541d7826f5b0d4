/** One more mailbox in a million: what it writes, when it is acknowledged, and when it is true everywhere. */
import { appendFileSync } from "node:fs";
import { until } from "../../test/mta/support/waiting.ts";
import { atMost, type Extent, type Measurement, type Tell } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { DOMAIN, MILLION } from "../rig/lists.ts";
import { clientOf, publish } from "../rig/publisher.ts";
import { spreadOf } from "../rig/rounds.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";
import { verdictOf } from "./loads.ts";

/** Window of the edge, seconds; the quick run does not wait for the default. */
const WINDOW = 30;
const QUICK_WINDOW = 4;
const QUICK_MAILBOXES = 100_000;
/** Changes that are followed until they are true everywhere; each takes up to half a window. */
const CHANGES = 3;
const EVERYWHERE_TIMEOUT_MS = 600_000;

/** What happened to one change. */
interface Change {
  /** Seconds from the finished plan to the acknowledgement. */
  readonly acknowledged: number;
  /** Seconds from there until the second isolate answers so too. */
  readonly everywhere: number;
}

export async function oneChange({ isQuick }: Extent, tell: Tell): Promise<Measurement[]> {
  const mailboxes = isQuick ? QUICK_MAILBOXES : MILLION;
  const window = isQuick ? QUICK_WINDOW : WINDOW;
  await using world = await World.make({ ROLLCALL_WINDOW: String(window) });
  await using edge = await world.serve({ hasNeighbour: true });
  tell(`one change in ${mailboxes}`);
  const list = world.list(mailboxes);
  await world.publish(edge, list);
  const token = await world.checkToken(edge);
  appendFileSync(list, `one-more@${DOMAIN}\n`);
  await world.kv.reset();
  const { seconds, peakBytes } = await world.publish(edge, list);
  const { writes } = await world.kv.counts();
  const changes: Change[] = [];
  for (let i = 0; i < (isQuick ? 1 : CHANGES); i++)
    changes.push(await follow(world, edge, list, token, `newcomer${i}@${DOMAIN}`));
  const everywhere = spreadOf(changes.map((change) => change.everywhere));
  return [
    {
      id: "publish.kv-writes.one-change",
      what: `KV writes of one changed mailbox in ${mailboxes.toLocaleString("en")}`,
      value: total(writes),
      unit: "count",
      bar: atMost(2),
      detail: {
        ...figures("writes", writes),
        "seconds of the whole command": seconds,
        "peak bytes": peakBytes,
      },
    },
    {
      id: "publish.one-change.acknowledged",
      what: "one changed mailbox: from the finished plan to the acknowledgement",
      ...spreadOf(changes.map(({ acknowledged }) => acknowledged)),
      unit: "s",
      bar: atMost(1),
      detail: { mailboxes },
    },
    {
      id: "publish.one-change.everywhere",
      what: `one changed mailbox: from there until another isolate says so, window ${window} s`,
      ...everywhere,
      // The longest counts: the bar is a promise.
      value: everywhere.highest,
      unit: "s",
      bar: atMost(window),
      detail: { changes: changes.length },
    },
  ];
}

async function follow(
  world: World,
  edge: ServedEdge,
  list: string,
  token: string,
  newcomer: string,
): Promise<Change> {
  const neighbour = edge.origins[1] as string;
  const client = clientOf(world, edge);
  const expect = async (origin: string, verdict: string): Promise<void> => {
    const found = await verdictOf(origin, token, newcomer);
    if (found !== verdict) throw new Error(`${newcomer} is ${found} where ${verdict} was expected`);
  };
  appendFileSync(list, `${newcomer}\n`);
  const acknowledged = await publish(client, list, async () => {
    // Both isolates have just confirmed that there is no such mailbox.
    for (const origin of edge.origins) await expect(origin, "unknown");
  });
  const since = performance.now();
  // The isolate that took the publish knows at once.
  await expect(edge.origin, "deliverable");
  const isEverywhere = async (): Promise<boolean> =>
    (await verdictOf(neighbour, token, newcomer)) === "deliverable";
  await until(`${newcomer} is deliverable everywhere`, isEverywhere, EVERYWHERE_TIMEOUT_MS);
  const everywhere = (performance.now() - since) / 1000;
  await world.untilCopied(edge);
  return { acknowledged, everywhere };
}
