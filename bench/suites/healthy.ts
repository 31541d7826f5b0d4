/**
 * Whether a deployment with nothing wrong defers mail: real bridges ask two isolates, busy and idle in turn, while
 * lists change. Long runs: `npm run bench -- --only healthy --seconds 600`
 */
import { appendFileSync } from "node:fs";
import { pause } from "../../test/mta/support/waiting.ts";
import { atMost, type Suite } from "../report/measurement.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { clientOf, publish as publishList } from "../rig/publisher.ts";
import { type Asking, serveBridge } from "../rig/socketmap.ts";
import { type Reply, SocketmapConnection } from "../rig/socketmap-client.ts";
import type { ServedEdge } from "../rig/workerd.ts";
import { World } from "../rig/world.ts";

const MAILBOXES = 40_000;
/** Short, so that isolates lapse and refresh often. Seconds. */
const WINDOW = 4;
/** About what KV and the Registry take from far away, milliseconds. */
const KV_DELAY = 15;
const REGISTRY_DELAY = 40;
/** Mail comes for so long, and then none for longer than a window, milliseconds. */
const BUSY = 12_000;
const IDLE = 1_000 * WINDOW + 1_500;
/** Questions at a time, and milliseconds between two such bursts. */
const BURST = 10;
const EVERY = 20;
/** From one publish to the next. */
const PUBLISH_EVERY = 1_700;
const LEAST_SECONDS = { quick: 8, whole: 60 };
const CONNECTIONS = 4;

/** What was counted. */
interface Count {
  readonly replies: Record<Reply, number>;
  /** Replies that contradict the list. */
  wrong: number;
  publishes: number;
}

export const healthy: Suite = {
  name: "healthy",
  async run(extent, tell) {
    const seconds = Math.max(extent.seconds, LEAST_SECONDS[extent.isQuick ? "quick" : "whole"]);
    await using world = await World.make({ ROLLCALL_WINDOW: String(WINDOW) });
    await using edge = await world.serve({ hasNeighbour: true, registryDelay: REGISTRY_DELAY });
    const list = world.list(MAILBOXES);
    await world.publish(edge, list);
    const token = await world.checkToken(edge);
    await world.kv.delay(KV_DELAY);
    const [one, other] = edge.origins.map((origin) => ({ origin, token })) as [Asking, Asking];
    await using first = await serveBridge(one);
    await using second = await serveBridge(other);
    tell(`two bridges and two isolates for ${seconds} s, a publish every ${PUBLISH_EVERY / 1000} s`);
    const replies = { OK: 0, NOTFOUND: 0, TEMP: 0, TIMEOUT: 0, PERM: 0 };
    const count: Count = { replies, wrong: 0, publishes: 0 };
    const end = Date.now() + 1000 * seconds;
    await Promise.all([
      ...[first, second].map(({ address }, i) => ask(address, i, end, count)),
      publish(world, edge, list, end, count),
    ]);
    const { OK, NOTFOUND, TEMP, TIMEOUT, PERM } = replies;
    return [
      {
        id: "healthy.deferrals",
        what: "lookups that a bridge deferred though nothing was wrong",
        value: TEMP + TIMEOUT + PERM + count.wrong,
        unit: "count",
        bar: atMost(0),
        detail: {
          lookups: OK + NOTFOUND + TEMP + TIMEOUT + PERM,
          deliverable: OK,
          "not found": NOTFOUND,
          "wrong answers": count.wrong,
          publishes: count.publishes,
          seconds,
        },
      },
    ];
  },
};

/** Mail for known and unknown names, each only once, so that the edge is asked for each. */
async function ask(address: string, bridge: number, end: number, count: Count): Promise<void> {
  const connections: SocketmapConnection[] = [];
  // They end with the bridge.
  for (let i = 0; i < CONNECTIONS; i++) connections.push(await SocketmapConnection.open(address));
  let asked = 0;
  const one = async (): Promise<void> => {
    const i = asked++;
    const isKnown = i % 2 === 0;
    const mailbox = (i * 2_654_435_761) % MAILBOXES;
    const name = isKnown ? `${KNOWN}${mailbox}+${bridge}x${i}` : `${UNKNOWN}${bridge}x${i}`;
    const connection = connections[i % CONNECTIONS] as SocketmapConnection;
    const reply = await connection.ask("recipients", `${name}@${DOMAIN}`);
    count.replies[reply]++;
    if (reply === (isKnown ? "NOTFOUND" : "OK")) count.wrong++;
  };
  // The bridges take turns in part: one isolate idles while the other is asked.
  await pause((bridge * BUSY) / 2);
  while (Date.now() < end) {
    const rest = Math.min(end, Date.now() + BUSY);
    const answers: Promise<void>[] = [];
    while (Date.now() < rest) {
      for (let i = 0; i < BURST; i++) answers.push(one());
      await pause(EVERY);
    }
    await Promise.all(answers);
    await pause(Math.min(IDLE, Math.max(0, end - Date.now())));
  }
}

/** One more mailbox each time. */
async function publish(
  world: World,
  edge: ServedEdge,
  list: string,
  end: number,
  count: Count,
): Promise<void> {
  const client = clientOf(world, edge);
  for (; Date.now() < end; count.publishes++) {
    appendFileSync(list, `newcomer${count.publishes}@${DOMAIN}\n`);
    await publishList(client, list);
    await pause(PUBLISH_EVERY);
  }
}
