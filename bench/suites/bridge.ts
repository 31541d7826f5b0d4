/** The bridge's lookups from its cache, beside other socketmap services. */
import {
  atLeast,
  type Bar,
  type Extent,
  type Measurement,
  type Suite,
  type Tell,
} from "../report/measurement.ts";
import { makeBridgeWorld, publishForBridge, recipients } from "../rig/bridge-world.ts";
import { UNKNOWN } from "../rig/lists.ts";
import { cpuOf, missingPackages } from "../rig/processes.ts";
import { meansOfNeighbours, median, spreadOf } from "../rig/rounds.ts";
import { type Asking, type SocketmapService, serveBridge, servePeer } from "../rig/socketmap.ts";
import {
  type LoadShape,
  lacksCompiler,
  type Questions,
  type SocketmapLoad,
  socketmapLoad,
} from "../rig/socketmap-load.ts";
import { bridgeMemory } from "./bridge-memory.ts";

/** Different names that are asked for; half of them exist. The bridge has room for so many refusals by default. */
const NAMES = 5_000;
/** Questions in one piece if they are pipelined. */
const AT_ONCE = 32;

/** Ways to ask. */
const WAYS = {
  one: { what: "one connection, question by question", connections: 1, atOnce: 1 },
  sixteen: { what: "sixteen connections, question by question", connections: 16, atOnce: 1 },
  pipelined: { what: `one connection, ${AT_ONCE} questions at a time`, connections: 1, atOnce: AT_ONCE },
} as const satisfies Record<string, LoadShape & { readonly what: string }>;
type Way = keyof typeof WAYS;

/** A peer, and how much faster the bridge has to be. */
interface Peer {
  readonly id: string;
  readonly what: string;
  readonly bar?: Bar;
  readonly questions: Questions;
  serve(asking: Asking): Promise<SocketmapService>;
}

type Served = Peer & { readonly service: SocketmapService };

/** Domains whose policy the resolver has in its cache. */
const policies: Questions = {
  table: "postfix",
  keys: Array.from({ length: NAMES }, (_, i) => `domain${i}.bench.example`),
  value: () => "secure match=mx.bench.example servername=hostname",
};

const proxy = (script: string) => ({
  questions: recipients(NAMES),
  serve: ({ origin, token }: Asking) => servePeer(script, { URL: origin, TOKEN: token }),
});
const mtaSts = (cache: "sqlite" | "internal") => ({
  questions: policies,
  serve: () => servePeer("mta-sts-cached.py", { DOMAINS: String(NAMES), CACHE: cache }),
});

const PEERS: readonly Peer[] = [
  {
    id: "proxy",
    what: "a proxy that makes an HTTP request for each (Node, fetch)",
    ...proxy("socketmap-proxy.js"),
  },
  {
    id: "python-proxy",
    what: "such a proxy in Python (asyncio, aiohttp)",
    bar: atLeast(20),
    ...proxy("socketmap-proxy.py"),
  },
  {
    id: "mta-sts",
    what: "postfix-mta-sts-resolver from its cache (SQLite, as Debian has it)",
    ...mtaSts("sqlite"),
  },
  {
    id: "mta-sts-memory",
    what: "postfix-mta-sts-resolver from its cache (in memory)",
    bar: atLeast(3),
    ...mtaSts("internal"),
  },
  {
    id: "bare",
    what: "a service in Node that looks for one word",
    questions: recipients(NAMES),
    serve: () => servePeer("socketmap-bare.js", { UNKNOWN }),
  },
];

/** Lookups over socketmap, and what a million names leave in memory. */
export const bridge: Suite = {
  name: "bridge",
  lacks: () => [
    ...lacksCompiler(),
    ...missingPackages({
      "mta-sts-daemon": "postfix-mta-sts-resolver",
      "/usr/lib/python3/dist-packages/aiohttp/__init__.py": "python3-aiohttp",
      // postfix-mta-sts-resolver recommends it, and is faster with it.
      "/usr/lib/python3/dist-packages/uvloop/__init__.py": "python3-uvloop",
    }),
  ],
  async run(extent, tell) {
    await using world = await makeBridgeWorld();
    await using edge = await world.serve();
    const asking = await publishForBridge(world, edge, tell);
    return [...(await lookups(asking, extent, tell)), ...(await bridgeMemory(asking, extent, tell))];
  },
};

async function lookups(asking: Asking, extent: Extent, tell: Tell): Promise<Measurement[]> {
  await using ours = await serveBridge(asking);
  const peers: Served[] = [];
  try {
    for (const peer of PEERS) peers.push({ ...peer, service: await peer.serve(asking) });
    // Many at a time is the fastest way to fill the bridge's cache.
    await socketmapLoad(ours.address, recipients(NAMES), WAYS.pipelined).ask(NAMES);
    const measured: Measurement[] = [];
    for (const way of Object.keys(WAYS) as Way[]) {
      tell(`bridge: ${WAYS[way].what}`);
      // The bare service answers each piece that it reads once, however many questions are in it.
      const fit = way === "pipelined" ? peers.filter(({ id }) => id !== "bare") : peers;
      measured.push(...(await compare(way, ours, fit, extent)));
    }
    return measured;
  } finally {
    for (const { service } of peers) await service[Symbol.asyncDispose]();
  }
}

/** A side's load, and how many questions fill a round. */
interface Side {
  readonly load: SocketmapLoad;
  readonly count: number;
}

/** Ours, peer, peer, ..., ours, ...: the mean of ours before and after each peer's round is divided by the peer's. */
async function compare(
  way: Way,
  ours: SocketmapService,
  peers: readonly Served[],
  extent: Extent,
): Promise<Measurement[]> {
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.2 : 1);
  const own = await sideOf(ours, recipients(NAMES), way, seconds);
  const sides: Side[] = [];
  for (const { service, questions } of peers) sides.push(await sideOf(service, questions, way, seconds));
  const ourRates = [await own.load.ask(own.count)];
  const busy: number[] = [];
  const theirRates: number[][] = peers.map(() => []);
  for (let round = 0; round < extent.rounds; round++) {
    for (const [i, { load, count }] of sides.entries()) theirRates[i]?.push(await load.ask(count));
    const [cpu, since] = [cpuOf(ours.pid), performance.now()];
    ourRates.push(await own.load.ask(own.count));
    busy.push((cpuOf(ours.pid) - cpu) / (performance.now() - since));
  }
  const means = meansOfNeighbours(ourRates);
  return peers.map(({ id, what, bar }, peer) => {
    const rates = theirRates[peer] as number[];
    return {
      id: `bridge.${way}.${id}`,
      what: `${WAYS[way].what}, against ${what}`,
      ...spreadOf(means.map((mean, i) => mean / (rates[i] as number))),
      unit: "x",
      ...(bar && { bar }),
      detail: {
        "lookups a second": median(ourRates),
        "peer's lookups a second": median(rates),
        "bridge's share of a core": median(busy),
      },
    };
  });
}

/** Warms a service up, and finds how many questions fill a round. */
async function sideOf(
  { address }: SocketmapService,
  questions: Questions,
  way: Way,
  seconds: number,
): Promise<Side> {
  const load = socketmapLoad(address, questions, WAYS[way]);
  const rate = await load.ask(NAMES / 20);
  return { load, count: Math.ceil(seconds * (await load.ask(Math.ceil((rate * seconds) / 5)))) };
}
