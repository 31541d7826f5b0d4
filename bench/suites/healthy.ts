/**
 * Whether a deployment with which nothing is wrong defers anybody: real bridges ask two isolates, busy and idle in turn,
 * while lists change. Long runs: `npm run bench -- --only healthy --seconds 600`
 */
import { appendFileSync } from "node:fs";
import type { Measurement, Suite } from "../report/measurement.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { clientOf, commit, plan } from "../rig/publisher.ts";
import { type ServedBridge, serveBridge } from "../rig/socketmap.ts";
import { type Reply, SocketmapConnection } from "../rig/socketmap-client.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

const MAILBOXES = 40_000;
/** Short, so that isolates lapse and refresh often. Seconds. */
const WINDOW = 4;
/** About what KV and the Registry take from far away, milliseconds. */
const KV_DELAY = 15;
const REGISTRY_DELAY = 40;
/** Mail comes for so long, and then nobody does for longer than a window, milliseconds. */
const BUSY = 12_000;
const IDLE = 1_000 * WINDOW + 1_500;
/** Questions at one moment, and from one moment to the next. */
const BURST = 10;
const EVERY = 20;
/** From one publish to the next. */
const PUBLISH_EVERY = 1_700;
const LEAST_SECONDS = { quick: 8, whole: 60 } as const;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What was counted. */
interface Count {
  readonly replies: Record<Reply, number>;
  /** Replies that say something else than the list does. */
  wrong: number;
  publishes: number;
}

export const healthy: Suite = {
  name: "healthy",
  lacks: () => [],
  async run(extent, tell) {
    const least = extent.isQuick ? LEAST_SECONDS.quick : LEAST_SECONDS.whole;
    const seconds = Math.max(extent.seconds, least);
    const world = await World.make({ ROLLCALL_WINDOW: String(WINDOW) });
    try {
      const edge = await world.serve({ hasNeighbour: true, registryDelay: REGISTRY_DELAY });
      try {
        return await measure(world, edge, seconds, tell);
      } finally {
        await edge.stop();
      }
    } finally {
      await world.end();
    }
  },
};

async function measure(
  world: World,
  edge: ServedEdge,
  seconds: number,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const list = world.list(MAILBOXES);
  await world.publish(edge, list);
  const token = await world.checkToken(edge);
  await world.kv.delay(KV_DELAY);
  const bridges: ServedBridge[] = [];
  const count: Count = {
    replies: { OK: 0, NOTFOUND: 0, TEMP: 0, TIMEOUT: 0, PERM: 0 },
    wrong: 0,
    publishes: 0,
  };
  try {
    for (const origin of [edge.origin, edge.neighbour as string])
      bridges.push(await serveBridge({ origin, token }));
    tell(`two bridges and two isolates for ${seconds} s, a publish every ${PUBLISH_EVERY / 1000} s`);
    const end = Date.now() + 1000 * seconds;
    await Promise.all([
      ...bridges.map(({ address }, i) => ask(address, i, end, count)),
      publish(world, edge, list, end, count),
    ]);
  } finally {
    for (const bridge of bridges) await bridge.stop();
  }
  return [deferrals(count, seconds)];
}

function deferrals({ replies, wrong, publishes }: Count, seconds: number): Measurement {
  const { OK, NOTFOUND, TEMP, TIMEOUT, PERM } = replies;
  return {
    id: "healthy.deferrals",
    what: "lookups that a bridge deferred though nothing was wrong",
    value: TEMP + TIMEOUT + PERM + wrong,
    unit: "count",
    bar: { kind: "at most", value: 0 },
    detail: {
      lookups: OK + NOTFOUND + TEMP + TIMEOUT + PERM,
      deliverable: OK,
      "not found": NOTFOUND,
      "wrong answers": wrong,
      publishes,
      seconds,
    },
  };
}

/** Mail for known and unknown names, none of them twice, so that the edge is asked for each. */
async function ask(address: string, bridge: number, end: number, count: Count): Promise<void> {
  const connections = await Promise.all([0, 1, 2, 3].map(() => SocketmapConnection.open(address)));
  let asked = 0;
  const one = async (): Promise<void> => {
    const i = asked++;
    const isKnown = i % 2 === 0;
    const mailbox = (i * 2_654_435_761) % MAILBOXES;
    const name = isKnown ? `${KNOWN}${mailbox}+${bridge}x${i}` : `${UNKNOWN}${bridge}x${i}`;
    const connection = connections[i % connections.length] as SocketmapConnection;
    const reply = await connection.ask("recipients", `${name}@${DOMAIN}`);
    count.replies[reply]++;
    if (reply === (isKnown ? "NOTFOUND" : "OK")) count.wrong++;
  };
  try {
    // The bridges take turns in part: one isolate idles while the other one is asked.
    await sleep((bridge * BUSY) / 2);
    while (Date.now() < end) {
      const rest = Math.min(end, Date.now() + BUSY);
      const answers: Promise<void>[] = [];
      while (Date.now() < rest) {
        for (let i = 0; i < BURST; i++) answers.push(one());
        await sleep(EVERY);
      }
      await Promise.all(answers);
      await sleep(Math.min(IDLE, Math.max(0, end - Date.now())));
    }
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** One mailbox more each time. */
async function publish(
  world: World,
  edge: ServedEdge,
  list: string,
  end: number,
  count: Count,
): Promise<void> {
  const client = clientOf(world, edge);
  while (Date.now() < end) {
    appendFileSync(list, `newcomer${count.publishes}@${DOMAIN}\n`);
    await commit(client, [await plan(client, list)]);
    count.publishes++;
    await sleep(PUBLISH_EVERY);
  }
}
