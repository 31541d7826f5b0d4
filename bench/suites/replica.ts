/**
 * The bridge with a replica beside the bridge that asks the edge: lookups over socketmap of hot names, of names never
 * asked before, and of a flood of unknown ones; requests that the edge gets meanwhile; memory and start.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pause, until } from "../../test/mta/support/waiting.ts";
import {
  atLeast,
  atMost,
  type Extent,
  type Measurement,
  type Suite,
  type Tell,
} from "../report/measurement.ts";
import { countingProxy } from "../rig/counting-proxy.ts";
import { DOMAIN, isKnown, KNOWN, MILLION, UNKNOWN } from "../rig/lists.ts";
import { memoryOf, temporaryFolder } from "../rig/processes.ts";
import { interleave } from "../rig/rounds.ts";
import { type ServedBridge, serveBridge } from "../rig/socketmap.ts";
import { SocketmapConnection } from "../rig/socketmap-client.ts";
import { type LoadShape, lacksCompiler, type Questions, socketmapLoad } from "../rig/socketmap-load.ts";
import { type Published, publishedWorld } from "../rig/world.ts";

const WAYS = {
  one: { what: "one connection, question by question", connections: 1, atOnce: 1 },
  sixteen: { what: "sixteen connections, question by question", connections: 16, atOnce: 1 },
} as const satisfies Record<string, LoadShape & { readonly what: string }>;
type Way = keyof typeof WAYS;

const HOT_NAMES = 1_000;
const MEGABYTE = 1024 * 1024;
/** How long the flood lasts, and how many names it tries. */
const FLOOD = { seconds: 600, names: 1_000_000 };
const QUICK_FLOOD = { seconds: 20, names: 20_000 };
/** Debian's Node, which mail hosts run; the benchmark's is another. */
const DEBIAN = "/usr/bin/node";
/** Lookups whose times make the percentiles. */
const TIMED = 20_000;

export const replica: Suite = {
  name: "replica",
  lacks: lacksCompiler,
  async run(extent, tell) {
    const published = await publishedWorld(extent.isQuick ? 100_000 : MILLION, tell);
    const measured = await withEdge(published, extent, tell);
    if (extent.isQuick) return measured;
    tell("replica: ten million mailboxes");
    const ten = await publishedWorld(10 * MILLION, tell);
    return [...measured, ...(await started(ten, atMost(160 * MEGABYTE), null))];
  },
};

async function withEdge(published: Published, extent: Extent, tell: Tell): Promise<Measurement[]> {
  const { world, token, mailboxes } = published;
  const own = await started(published, atMost(90 * MEGABYTE), extent.isQuick ? null : 2);
  await using edge = await world.serve();
  await using counted = await countingProxy(edge.origin);
  using folder = temporaryFolder();
  const replicaToken = await replicaTokenOf(published, edge.origin);
  await using asks = await serveBridge({ origin: edge.origin, token });
  await using holds = await serveBridge(
    { origin: counted.origin, token: replicaToken },
    { replica: join(folder.path, "replica") },
  );
  await untilHeld(holds);
  const measured = [...own];
  const names = new Names(mailboxes);
  for (const way of Object.keys(WAYS) as Way[]) {
    tell(`replica: ${WAYS[way].what}`);
    measured.push(...(await compare(way, holds, asks, names, extent)));
  }
  tell("replica: a flood of unknown names");
  measured.push(...(await flood(holds, counted, extent)));
  return measured;
}

/** Rates of one way: never-asked and unknown names against asking the edge, and against hot names. */
async function compare(
  way: Way,
  holds: ServedBridge,
  asks: ServedBridge,
  names: Names,
  extent: Extent,
): Promise<Measurement[]> {
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.2 : 1);
  const rate = (bridge: ServedBridge, keys: readonly string[]): Promise<number> =>
    socketmapLoad(bridge.address, questions(keys), WAYS[way]).ask(keys.length);
  const hot = names.known(HOT_NAMES);
  await rate(holds, hot);
  const hotCount = Math.ceil(seconds * (await rate(holds, hot)));
  const hotRate = (): Promise<number> =>
    socketmapLoad(holds.address, questions(hot), WAYS[way]).ask(hotCount);
  const edgeCount = Math.ceil(seconds * (await rate(asks, names.unknown(500))));
  const measured: Measurement[] = [];
  for (const kind of ["known", "unknown"] as const) {
    const newNames = (count: number): string[] => names[kind](count);
    const fromDisk = await interleave(extent.rounds, hotRate, () => rate(holds, newNames(hotCount >> 1)));
    measured.push({
      id: `replica.${way}.${kind}.hot`,
      what: `${WAYS[way].what}, ${kind} names never asked before, against hot names`,
      ...fromDisk.ratio,
      unit: "x",
      ...(kind === "known" && { bar: atLeast(0.9) }),
      detail: { "lookups a second": fromDisk.ours.value, "hot, a second": fromDisk.theirs.value },
    });
    const fromEdge = await interleave(
      extent.rounds,
      () => rate(asks, newNames(edgeCount)),
      () => rate(holds, newNames(hotCount >> 1)),
    );
    measured.push({
      id: `replica.${way}.${kind}.edge`,
      what: `${WAYS[way].what}, ${kind} names never asked before, against the bridge that asks the edge`,
      ...fromEdge.ratio,
      unit: "x",
      detail: { "lookups a second": fromEdge.ours.value, "asking the edge, a second": fromEdge.theirs.value },
    });
  }
  return measured;
}

/** An attack: unknown names at a steady rate for ten minutes. */
async function flood(
  holds: ServedBridge,
  counted: { readonly requests: () => number },
  extent: Extent,
): Promise<Measurement[]> {
  const { seconds, names } = extent.isQuick ? QUICK_FLOOD : FLOOD;
  using connection = await SocketmapConnection.open(holds.address);
  const before = counted.requests();
  const since = performance.now();
  const times: number[] = [];
  const aSecond = Math.ceil(names / seconds);
  for (let second = 0; second < seconds; second++) {
    for (let i = 0; i < aSecond; i++) {
      const asked = performance.now();
      const reply = await connection.ask("recipients", `${UNKNOWN}-flood-${second * aSecond + i}@${DOMAIN}`);
      if (reply !== "NOTFOUND") throw new Error(`the bridge answered ${reply} to an unknown name`);
      if (times.length < TIMED) times.push((performance.now() - asked) * 1000);
    }
    await pause(Math.max(0, since + (second + 1) * 1000 - performance.now()));
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(share * (times.length - 1))] as number;
  return [
    {
      id: "replica.flood.requests",
      what: `requests to the edge in ${seconds} s of ${(aSecond * seconds).toLocaleString("en")} unknown names`,
      value: counted.requests() - before,
      unit: "count",
      bar: atMost(50),
      detail: { "names a second": aSecond, "p50 of a lookup, µs": at(0.5), "p99 of a lookup, µs": at(0.99) },
    },
  ];
}

/** First sync, memory when every shard was used, and a start from disk. */
async function started(
  published: Published,
  memory: Measurement["bar"],
  mostSeconds: number | null,
): Promise<Measurement[]> {
  const { world, mailboxes } = published;
  await using edge = await world.serve();
  using folder = temporaryFolder();
  const asking = { origin: edge.origin, token: await replicaTokenOf(published, edge.origin) };
  const setting = { replica: join(folder.path, "replica"), ...(existsSync(DEBIAN) && { node: DEBIAN }) };
  const size = `${mailboxes / 1e6} M`;
  const begun = performance.now();
  let synced: number;
  {
    await using first = await serveBridge(asking, setting);
    await untilHeld(first);
    synced = (performance.now() - begun) / 1000;
  }
  const again = performance.now();
  await using bridge = await serveBridge(asking, setting);
  await untilHeld(bridge);
  const start = (performance.now() - again) / 1000;
  const names = new Names(mailboxes).spread(50_000);
  await socketmapLoad(bridge.address, questions(names), { connections: 4, atOnce: 32 }).ask(names.length);
  return [
    { id: `replica.first-sync.${size}`, what: `first sync of ${size} mailboxes`, value: synced, unit: "s" },
    {
      id: `replica.start.${size}`,
      what: `start from disk with ${size} mailboxes`,
      value: start,
      unit: "s",
      ...(mostSeconds !== null && { bar: atMost(mostSeconds) }),
    },
    {
      id: `replica.memory.${size}`,
      what: `resident with ${size} mailboxes, every shard used`,
      value: memoryOf(bridge.pid, "VmRSS") ?? Number.NaN,
      unit: "bytes",
      ...(memory && { bar: memory }),
      detail: { "peak, bytes": memoryOf(bridge.pid, "VmHWM") ?? Number.NaN },
    },
  ];
}

async function replicaTokenOf({ world }: Published, origin: string): Promise<string> {
  const edge = { origin } as Parameters<typeof world.rollcall>[0];
  return (
    await world.rollcall(edge, "token", "create", "--role", "replica", "--domain", DOMAIN)
  ).output.trim();
}

/** Until the bridge's own metrics say that it holds the domain's newest list. */
const untilHeld = (bridge: ServedBridge): Promise<void> =>
  until(
    "the replica holds the list",
    async () => (await bridge.metrics()).includes(`rollcall_bridge_replica_age_seconds{domain="${DOMAIN}"}`),
    600_000,
  );

const questions = (keys: readonly string[]): Questions => ({
  table: "recipients",
  keys,
  value: (name) => (isKnown(name) ? "deliverable" : null),
});

/** Names of a list that no round has asked before. */
class Names {
  readonly #mailboxes: number;
  #known = 0;
  #unknown = 0;

  constructor(mailboxes: number) {
    this.#mailboxes = mailboxes;
  }

  /** Mailboxes in another order than that of the list. Once all are taken, the same with a subaddress. */
  known(count: number): string[] {
    return Array.from({ length: count }, () => {
      const number = this.#known++;
      const round = Math.floor(number / this.#mailboxes);
      const name = (number * 7_919) % this.#mailboxes;
      return `${KNOWN}${name}${round === 0 ? "" : `+${round}`}@${DOMAIN}`;
    });
  }

  unknown(count: number): string[] {
    return Array.from({ length: count }, () => `${UNKNOWN}${this.#unknown++}@${DOMAIN}`);
  }

  /** Names over the whole list, so that every shard is used. */
  spread(count: number): string[] {
    const step = Math.max(1, Math.floor(this.#mailboxes / count));
    return Array.from({ length: count }, (_, i) => `${KNOWN}${(i * step) % this.#mailboxes}@${DOMAIN}`);
  }
}
