/** The bridge's lookups from its cache, beside other socketmap services. */
import type { Bar, Extent, Measurement, Suite } from "../report/measurement.ts";
import { mixedNames, recipientsTable, serveBridgeWorld } from "../rig/bridge-world.ts";
import { UNKNOWN } from "../rig/lists.ts";
import { cpuOf, missingPackages } from "../rig/processes.ts";
import { spreadOf } from "../rig/rounds.ts";
import { type Asking, type SocketmapService, serveBridge, servePeer } from "../rig/socketmap.ts";
import {
  type LoadShape,
  lacksCompiler,
  type Questions,
  type SocketmapLoad,
  socketmapLoad,
} from "../rig/socketmap-load.ts";
import { bridgeMemory } from "./bridge-memory.ts";

/** Different names that are asked for. Half of them exist; the bridge has room for so many refusals by default. */
const NAMES = 5_000;
/** Questions in one piece where they are pipelined. */
const AT_ONCE = 32;

/** One service under load. */
interface Side {
  readonly service: SocketmapService;
  readonly questions: Questions;
  /** Whether it has answers ready only for what it was asked before. */
  readonly isCold?: boolean;
}

/** A peer, and how much faster the bridge has to be. */
interface Peer extends Side {
  readonly id: string;
  readonly what: string;
  readonly bar?: Bar;
}

/** A way to ask. */
interface Way extends LoadShape {
  readonly id: string;
  readonly what: string;
}

const WAYS: readonly Way[] = [
  { id: "one", what: "one connection, question by question", connections: 1, atOnce: 1 },
  { id: "sixteen", what: "sixteen connections, question by question", connections: 16, atOnce: 1 },
  {
    id: "pipelined",
    what: `one connection, ${AT_ONCE} questions at a time`,
    connections: 1,
    atOnce: AT_ONCE,
  },
];

/** Lookups over socketmap, and what a million names leave in memory. */
export const bridge: Suite = {
  name: "bridge",
  lacks: () => [
    ...lacksCompiler(),
    ...missingPackages({
      "mta-sts-daemon": "postfix-mta-sts-resolver",
      // Recommended by the one before, which is quicker with it.
      "/usr/lib/python3/dist-packages/uvloop/__init__.py": "python3-uvloop",
    }),
  ],
  async run(extent, tell) {
    const world = await serveBridgeWorld(tell);
    try {
      return [...(await measureLookups(world, extent, tell)), ...(await bridgeMemory(world, extent, tell))];
    } finally {
      await world.end();
    }
  },
};

async function measureLookups(
  asking: Asking,
  extent: Extent,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  const recipients = recipientsTable(mixedNames(NAMES));
  const settings = { URL: asking.origin, TOKEN: asking.token };
  const services: SocketmapService[] = [];
  const started = async (starting: Promise<SocketmapService>): Promise<SocketmapService> => {
    const service = await starting;
    services.push(service);
    return service;
  };
  try {
    const ours: Side = { service: await started(serveBridge(asking)), questions: recipients, isCold: true };
    const atLeast = (value: number): Bar => ({ kind: "at least", value });
    const peers: Peer[] = [
      {
        id: "proxy",
        what: "a proxy that makes an HTTP request for each (Node, fetch)",
        service: await started(servePeer("socketmap-proxy.js", settings)),
        questions: recipients,
      },
      {
        id: "python-proxy",
        what: "such a proxy in Python (asyncio, aiohttp)",
        service: await started(servePeer("socketmap-proxy.py", settings)),
        questions: recipients,
        bar: atLeast(20),
      },
      {
        id: "mta-sts",
        what: "postfix-mta-sts-resolver from its cache (SQLite, as Debian has it)",
        service: await started(mtaSts("sqlite")),
        questions: policies,
      },
      {
        id: "mta-sts-memory",
        what: "postfix-mta-sts-resolver from its cache (in memory)",
        service: await started(mtaSts("internal")),
        questions: policies,
        bar: atLeast(3),
      },
      {
        id: "bare",
        what: "a service in Node that looks for one word",
        service: await started(servePeer("socketmap-bare.js", { UNKNOWN })),
        questions: recipients,
      },
    ];
    const measured: Measurement[] = [];
    for (const way of WAYS) {
      // It answers whatever it reads once, however many questions that is.
      const fit = way.id === "pipelined" ? peers.filter(({ id }) => id !== "bare") : peers;
      measured.push(...(await compare(way, ours, fit, extent, tell)));
    }
    return measured;
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}

const mtaSts = (cache: "sqlite" | "internal"): Promise<SocketmapService> =>
  servePeer("mta-sts-cached.py", { DOMAINS: String(NAMES), CACHE: cache });

/** Domains whose policy the resolver has in its cache. */
const policies: Questions = {
  table: "postfix",
  keys: Array.from({ length: NAMES }, (_, i) => `domain${i}.bench.example`),
  value: () => "secure match=mx.bench.example servername=hostname",
};

/** A side's load, and how much of it fills a round. */
interface Ready {
  readonly load: SocketmapLoad;
  readonly count: number;
}

/** Ours, peer, peer, ..., ours, ...: each peer's rate is held against the mean of ours before and after it. */
async function compare(
  way: Way,
  ours: Side,
  peers: readonly Peer[],
  extent: Extent,
  tell: (line: string) => void,
): Promise<Measurement[]> {
  tell(`bridge: ${way.what}`);
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.2 : 1);
  const ready: Ready[] = [];
  for (const side of [ours, ...peers]) ready.push(await warmUp(way, side, seconds));
  const [our, ...their] = ready as [Ready, ...Ready[]];
  const ourRates = [await our.load.ask(our.count)];
  const busy: number[] = [];
  const theirRates: number[][] = their.map(() => []);
  for (let round = 0; round < extent.rounds; round++) {
    for (const [i, { load, count }] of their.entries()) theirRates[i]?.push(await load.ask(count));
    const before = cpuOf(ours.service.pid);
    const begun = performance.now();
    ourRates.push(await our.load.ask(our.count));
    busy.push((cpuOf(ours.service.pid) - before) / (performance.now() - begun));
  }
  const means =
    theirRates[0]?.map((_, i) => ((ourRates[i] as number) + (ourRates[i + 1] as number)) / 2) ?? [];
  return peers.map(({ id, what, bar }, peer): Measurement => {
    const rates = theirRates[peer] as number[];
    const { median, lowest, highest } = spreadOf(means.map((mean, i) => mean / (rates[i] as number)));
    return {
      id: `bridge.${way.id}.${id}`,
      what: `${way.what}, against ${what}`,
      value: median,
      unit: "x",
      lowest,
      highest,
      ...(bar === undefined ? {} : { bar }),
      detail: {
        "lookups a second": spreadOf(ourRates).median,
        "peer's lookups a second": spreadOf(rates).median,
        "bridge's share of a core": spreadOf(busy).median,
      },
    };
  });
}

/** Every name is asked for, so that it is in the cache; then again, to see how many fill a round. */
async function warmUp(
  way: Way,
  { service, questions, isCold = false }: Side,
  seconds: number,
): Promise<Ready> {
  // Many at once: that is the quickest way to have all of them in the cache.
  if (isCold) await socketmapLoad(service.address, questions, { connections: 1, atOnce: AT_ONCE }).ask(NAMES);
  const load = socketmapLoad(service.address, questions, way);
  const rate = await load.ask(NAMES / 20);
  return { load, count: Math.ceil(seconds * (await load.ask(Math.ceil((rate * seconds) / 5)))) };
}
