/** Recipients a second through a real Postfix: asking the bridge, beside Postfix's own table of the same list. */
import { atLeast, type Bar, type Extent, type Measurement, type Suite } from "../report/measurement.ts";
import { MAILBOXES, makeBridgeWorld, publishForBridge, recipients } from "../rig/bridge-world.ts";
import { DOMAIN, mixedNames, UNKNOWN } from "../rig/lists.ts";
import { makeLmdb, RecipientClient, type ServedPostfix, servePostfix } from "../rig/postfix.ts";
import { cpuOf, missingPackages } from "../rig/processes.ts";
import { interleave, median } from "../rig/rounds.ts";
import {
  type Lookups,
  type ServedBridge,
  type SocketmapService,
  serveBridge,
  servePeer,
} from "../rig/socketmap.ts";
import { lacksCompiler, socketmapLoad } from "../rig/socketmap-load.ts";

/**
 * Ways to send RCPT TO. A pipelining client sends 50 before it waits: Postfix writes 4,096 octets of replies at once,
 * and with more its second write would wait for the client's delayed acknowledgement, 40 ms on either side.
 */
const PACES = {
  one: { what: "one at a time", atOnce: 1, bar: atLeast(0.9) },
  pipelined: { what: "pipelined", atOnce: 50, bar: atLeast(0.7) },
};
type Pace = keyof typeof PACES;

const MANY = 5_000;
/** What Postfix asks, and about how many different names, half of which exist; the first two have bars. */
const CASES = {
  hot: { what: "hot names", names: 100, asks: "tcp", hasBar: true },
  many: { what: "5,000 names", names: MANY, asks: "tcp", hasBar: true },
  unix: { what: "5,000 names, unix socket", names: MANY, asks: "unix", hasBar: false },
  bare: {
    what: "5,000 names, asking a service in Node that looks for one word",
    names: MANY,
    asks: "bare",
    hasBar: false,
  },
} as const;
type Case = keyof typeof CASES;

/** In the order of the report. */
const COMPARISONS: readonly (readonly [Pace, Case])[] = [
  ["one", "hot"],
  ["one", "many"],
  ["pipelined", "hot"],
  ["pipelined", "many"],
  ["one", "unix"],
  ["pipelined", "unix"],
  ["one", "bare"],
  ["pipelined", "bare"],
];

export const postfix: Suite = {
  name: "postfix",
  lacks: () => [
    ...lacksCompiler(),
    ...missingPackages({
      "/usr/lib/postfix/sbin/master": "postfix",
      "/usr/lib/postfix/postfix-lmdb.so": "postfix-lmdb",
    }),
  ],
  async run(extent, tell) {
    if (process.getuid?.() !== 0) throw new Error("Postfix's master must be started by root");
    await using world = await makeBridgeWorld();
    await using edge = await world.serve();
    await using bridge = await serveBridge(await publishForBridge(world, edge, tell));
    await using bareService = await servePeer("socketmap-bare.js", { UNKNOWN });
    using lmdb = makeLmdb(MAILBOXES);
    await using own = await servePostfix(lmdb.table);
    await using tcp = await servePostfix(`socketmap:${bridge.tcp}:recipients`);
    await using unix = await servePostfix(`socketmap:${bridge.address}:recipients`);
    // What any service in a process of its own could reach, over the transport that our page uses.
    await using bare = await servePostfix(`socketmap:${bareService.tcp}:recipients`);
    const asking = { tcp, unix, bare };
    // From here on all names are in the bridge's cache. The first time that Postfix finds no mailbox, it asks about
    // the whole domain too.
    const all = recipients(MANY, DOMAIN);
    await socketmapLoad(bridge.address, all, { connections: 1, atOnce: PACES.pipelined.atOnce }).ask(
      all.keys.length,
    );
    const measured: Measurement[] = [];
    for (const [pace, name] of COMPARISONS) {
      const { asks, names, hasBar } = CASES[name];
      const what = `${PACES[pace].what}, ${CASES[name].what}`;
      tell(`postfix: ${what}`);
      const load = { names: mixedNames(names, MAILBOXES), atOnce: PACES[pace].atOnce };
      const figures = await compare(load, own, asking[asks], asks === "bare" ? bareService : bridge, extent);
      const bar: { bar?: Bar } = hasBar ? { bar: PACES[pace].bar } : {};
      measured.push({
        id: `postfix.${pace}.${name}`,
        what: `RCPT TO, ${what}, against Postfix with its own lmdb table`,
        ...figures,
        ...bar,
      });
    }
    return measured;
  },
};

async function compare(
  { names, atOnce }: { readonly names: readonly string[]; readonly atOnce: number },
  own: ServedPostfix,
  asking: ServedPostfix,
  service: SocketmapService | ServedBridge,
  extent: Extent,
): Promise<Pick<Measurement, "value" | "lowest" | "highest" | "unit" | "detail">> {
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.3 : 1);
  using theirs = await RecipientClient.open(own.port);
  using ours = await RecipientClient.open(asking.port);
  const count = Math.ceil(seconds * (await theirs.name(names, 1_000, atOnce)));
  const shares: number[] = [];
  const lookups = "lookups" in service ? service.lookups : null;
  const before = await lookups?.();
  const compared = await interleave(
    extent.rounds,
    () => theirs.name(names, count, atOnce),
    async () => {
      const [cpu, since] = [cpuOf(service.pid), performance.now()];
      const rate = await ours.name(names, count, atOnce);
      shares.push((cpuOf(service.pid) - cpu) / (performance.now() - since));
      return rate;
    },
  );
  const after = await lookups?.();
  const named = extent.rounds * atOnce * Math.ceil(count / atOnce);
  return {
    ...compared.ratio,
    unit: "x",
    detail: {
      "recipients a second": compared.ours.value,
      "with lmdb, a second": compared.theirs.value,
      "service's share of a core": median(shares),
      ...(before && after && { "lookups a recipient": fromCache(before, after) / named }),
    },
  };
}

/** Lookups between two counts. @throws where the bridge did not answer each from its cache: then something else was timed */
function fromCache(before: Lookups, after: Lookups): number {
  const [cache, elsewhere] = [after.cache - before.cache, after.elsewhere - before.elsewhere];
  if (cache > 0 && elsewhere === 0) return cache;
  throw new Error(`the bridge answered ${cache} lookups from its cache, and ${elsewhere} otherwise`);
}
