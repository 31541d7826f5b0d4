/** One mailbox more in a million: what it writes, when it is acknowledged, and when it is true everywhere. */
import { appendFileSync } from "node:fs";
import type { Extent, Measurement } from "../report/measurement.ts";
import { figures, total } from "../rig/kv.ts";
import { DOMAIN } from "../rig/lists.ts";
import { clientOf, commit, plan } from "../rig/publisher.ts";
import { spreadOf } from "../rig/rounds.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";
import { MILLION } from "./checks.ts";
import { verdictOf } from "./loads.ts";

/** Window of the edge, seconds; the quick run does not wait for the default. */
const WINDOW = 30;
const QUICK_WINDOW = 4;
const QUICK_MAILBOXES = 100_000;
/** Changes followed until they are true everywhere; each takes up to half a window. */
const CHANGES = 3;
const ASK_EVERY_MS = 20;

/** What became of one change. */
interface Change {
  /** Seconds from the finished plan to the acknowledgement. */
  readonly acknowledged: number;
  /** Seconds from there until the second isolate says so too. */
  readonly everywhere: number;
}

export async function oneChange(extent: Extent, tell: (line: string) => void): Promise<Measurement[]> {
  const mailboxes = extent.isQuick ? QUICK_MAILBOXES : MILLION;
  const window = extent.isQuick ? QUICK_WINDOW : WINDOW;
  const world = await World.make({ ROLLCALL_WINDOW: String(window) });
  try {
    const edge = await world.serve({ hasNeighbour: true });
    try {
      tell(`one change in ${mailboxes}`);
      const list = world.list(mailboxes);
      await world.publish(edge, list);
      const token = await world.checkToken(edge);
      const writes = await writesOfOne(world, edge, list, mailboxes);
      const changes: Change[] = [];
      for (let i = 0; i < (extent.isQuick ? 1 : CHANGES); i++) {
        changes.push(await follow(world, edge, list, token, `newcomer${i}@${DOMAIN}`));
      }
      return [writes, acknowledgedIn(changes, mailboxes), everywhereIn(changes, window)];
    } finally {
      await edge.stop();
    }
  } finally {
    await world.end();
  }
}

async function writesOfOne(
  world: World,
  edge: ServedEdge,
  list: string,
  mailboxes: number,
): Promise<Measurement> {
  appendFileSync(list, `one-more@${DOMAIN}\n`);
  await world.kv.reset();
  const { seconds, peakBytes } = await world.publish(edge, list);
  const { writes } = await world.kv.counts();
  return {
    id: "publish.kv-writes.one-change",
    what: `KV writes of one changed mailbox in ${mailboxes.toLocaleString("en")}`,
    value: total(writes),
    unit: "count",
    bar: { kind: "at most", value: 2 },
    detail: {
      ...figures("writes", writes),
      "seconds of the whole command": seconds,
      "peak bytes": peakBytes,
    },
  };
}

async function follow(
  world: World,
  edge: ServedEdge,
  list: string,
  token: string,
  newcomer: string,
): Promise<Change> {
  const neighbour = edge.neighbour as string;
  const client = clientOf(world, edge);
  appendFileSync(list, `${newcomer}\n`);
  const planned = await plan(client, list);
  // Both isolates know for sure that there is no such mailbox, and have just confirmed it.
  for (const origin of [edge.origin, neighbour]) {
    const verdict = await verdictOf(origin, token, newcomer);
    if (verdict !== "unknown") throw new Error(`${newcomer} is ${verdict} before it was published`);
  }
  const acknowledged = await commit(client, [planned]);
  const since = performance.now();
  const own = await verdictOf(edge.origin, token, newcomer);
  if (own !== "deliverable") throw new Error(`${newcomer} is ${own} where its publish was acknowledged`);
  while ((await verdictOf(neighbour, token, newcomer)) !== "deliverable") {
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    if (performance.now() - since > 10 * 60_000) throw new Error(`${newcomer} never became true everywhere`);
  }
  const everywhere = (performance.now() - since) / 1000;
  await world.untilCopied(edge);
  return { acknowledged, everywhere };
}

function acknowledgedIn(changes: readonly Change[], mailboxes: number): Measurement {
  const { median, lowest, highest } = spreadOf(changes.map(({ acknowledged }) => acknowledged));
  return {
    id: "publish.one-change.acknowledged",
    what: "one changed mailbox: from the finished plan to the acknowledgement",
    value: median,
    unit: "s",
    lowest,
    highest,
    bar: { kind: "at most", value: 1 },
    detail: { mailboxes },
  };
}

/** The longest counts: the bar is a promise. */
function everywhereIn(changes: readonly Change[], window: number): Measurement {
  const { lowest, highest } = spreadOf(changes.map(({ everywhere }) => everywhere));
  return {
    id: "publish.one-change.everywhere",
    what: `one changed mailbox: from there until another isolate says so, window ${window} s`,
    value: highest,
    unit: "s",
    lowest,
    highest,
    bar: { kind: "at most", value: window },
    detail: { changes: changes.length },
  };
}
