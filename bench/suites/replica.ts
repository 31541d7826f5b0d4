/**
 * The bridge with a replica beside the bridge that asks the edge: lookups over socketmap of names that were never asked
 * before, mailboxes and unknown ones, against the edge and against what a bridge has in its cache.
 */
import { atLeast, type Extent, type Measurement, type Suite, type Tell } from "../report/measurement.ts";
import { makeBridgeWorld, publishForBridge } from "../rig/bridge-world.ts";
import { MILLION } from "../rig/lists.ts";
import { missingPackages, pin, temporaryFolder } from "../rig/processes.ts";
import { NewNames, questionsOf, replicaToken, serveReplica } from "../rig/replica.ts";
import { interleave, median } from "../rig/rounds.ts";
import { type ServedBridge, serveBridge } from "../rig/socketmap.ts";
import { type LoadShape, lacksCompiler, socketmapLoad, type Timed } from "../rig/socketmap-load.ts";

/**
 * Load and bridge have a processor each. Otherwise the scheduler puts both on one in some rounds, where a lookup takes a
 * third of the time, and it depends on chance in which.
 */
const LOAD = { processor: 0 };
const BRIDGE_PROCESSOR = 1;

const WAYS = {
  one: { what: "one connection", connections: 1, atOnce: 1, ...LOAD },
  sixteen: { what: "sixteen connections", connections: 16, atOnce: 1, ...LOAD },
} as const satisfies Record<string, LoadShape & { readonly what: string }>;
type Way = keyof typeof WAYS;

const KINDS = { known: "mailboxes", unknown: "unknown names" } as const;
type Kind = keyof typeof KINDS;

const HOT_NAMES = 1_000;

export const replica: Suite = {
  name: "replica",
  lacks: () => [...lacksCompiler(), ...missingPackages({ taskset: "util-linux" })],
  async run(extent, tell) {
    const mailboxes = extent.isQuick ? 100_000 : MILLION;
    // Its window is long: nothing in a cache may expire in the middle of a round.
    await using world = await makeBridgeWorld();
    await using edge = await world.serve();
    const { origin } = edge;
    await using asks = await serveBridge(await publishForBridge(world, edge, tell, mailboxes));
    using folder = temporaryFolder();
    await using holds = await serveReplica({ origin, token: await replicaToken(world, origin) }, folder);
    const bridges = { asks, holds };
    for (const { pid } of [asks, holds]) pin(pid, BRIDGE_PROCESSOR);
    const names = new NewNames(mailboxes);
    const measured: Measurement[] = [];
    for (const way of Object.keys(WAYS) as Way[]) {
      for (const kind of Object.keys(KINDS) as Kind[]) {
        measured.push(...(await compare({ way, kind }, bridges, names, extent, tell)));
      }
    }
    return measured;
  },
};

/** Two bridges of one edge: the first asks it about each name, the second holds its list. */
interface Bridges {
  readonly asks: ServedBridge;
  readonly holds: ServedBridge;
}

/** One kind of names, in one way: never asked, from the replica, against the edge and against the cache. */
async function compare(
  { way, kind }: { readonly way: Way; readonly kind: Kind },
  { asks, holds }: Bridges,
  names: NewNames,
  extent: Extent,
  tell: Tell,
): Promise<Measurement[]> {
  const what = `replica, ${WAYS[way].what}: ${KINDS[kind]}`;
  tell(what);
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.2 : 1);
  const time = (bridge: ServedBridge, keys: readonly string[]): Promise<Timed> =>
    socketmapLoad(bridge.address, questionsOf(keys), WAYS[way]).time(keys.length);
  const hot = names[kind](HOT_NAMES);
  const cached = async (count: number): Promise<number> => {
    // As many as the other side gets new ones, so that the load reads as much memory.
    const keys = Array.from({ length: count }, (_, i) => hot[i % hot.length] as string);
    return (await fromCache(asks, hot, () => time(asks, keys))).rate;
  };
  const hotCount = Math.ceil(seconds * (await cached(5 * HOT_NAMES)));
  const edgeCount = Math.ceil(seconds * (await time(asks, names[kind](500))).rate);
  const ownCount = Math.ceil(seconds * (await time(holds, names[kind](hotCount >> 2))).rate);
  const ours: Timed[] = [];
  const theirs: Timed[] = [];
  const noted = async (timed: Timed[], bridge: ServedBridge, count: number): Promise<number> => {
    const one = await time(bridge, names[kind](count));
    timed.push(one);
    return one.rate;
  };
  const own = (): Promise<number> => noted(ours, holds, ownCount);
  const toCache = await interleave(extent.rounds, () => cached(hotCount), own);
  const toEdge = await interleave(extent.rounds, () => noted(theirs, asks, edgeCount), own);
  const middle = (timed: readonly Timed[], at: "p50" | "p99"): number =>
    median(timed.map((each) => each[at]));
  return [
    {
      id: `replica.${way}.${kind}.cache`,
      what: `${what} never asked before, against hot ones in a bridge's cache`,
      ...toCache.ratio,
      unit: "x",
      bar: atLeast(0.9),
      detail: { "lookups a second": toCache.ours.value, "from the cache, a second": toCache.theirs.value },
    },
    {
      id: `replica.${way}.${kind}.edge`,
      what: `${what} never asked before, against the bridge that asks the edge`,
      ...toEdge.ratio,
      unit: "x",
      detail: {
        "lookups a second": toEdge.ours.value,
        "asking the edge, a second": toEdge.theirs.value,
        "p50, µs": middle(ours, "p50"),
        "p99, µs": middle(ours, "p99"),
        "asking the edge: p50, µs": middle(theirs, "p50"),
        "asking the edge: p99, µs": middle(theirs, "p99"),
      },
    },
  ];
}

/** Asks names that were asked before. @throws if an answer was not in the cache */
async function fromCache(
  bridge: ServedBridge,
  hot: readonly string[],
  ask: () => Promise<Timed>,
): Promise<Timed> {
  // Twice: the first answers of an isolate that has not heard of the Registry yet hold for no time.
  const warm = socketmapLoad(bridge.address, questionsOf(hot), WAYS.one);
  for (let pass = 0; pass < 2; pass++) await warm.ask(hot.length);
  const before = await bridge.lookups();
  const timed = await ask();
  const { elsewhere } = await bridge.lookups();
  const more = elsewhere - before.elsewhere;
  if (more > 0) throw new Error(`the bridge answered ${more} lookups elsewhere than from its cache`);
  return timed;
}
