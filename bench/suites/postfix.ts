/** Recipients a second through a real Postfix: asking the bridge, beside Postfix's own table of the same list. */
import { atLeast, type Extent, type Measurement, type Suite } from "../report/measurement.ts";
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
 * Recipients that a pipelining client sends before it waits. Postfix writes 4,096 octets of replies at once; with more,
 * its second write would wait for the client's delayed acknowledgement, 40 ms on either side.
 */
const AT_ONCE = 50;
const MANY = 5_000;
const BARE = "5,000 names, asking a service in Node that looks for one word";

/** Each by how many names come at once, what Postfix asks, and about how many different names: half of them exist. */
const COMPARISONS = [
  { id: "one.hot", what: "hot names", atOnce: 1, names: 100, asks: "tcp", bar: atLeast(0.9) },
  { id: "one.many", what: "5,000 names", atOnce: 1, names: MANY, asks: "tcp", bar: atLeast(0.9) },
  { id: "pipelined.hot", what: "hot names", atOnce: AT_ONCE, names: 100, asks: "tcp", bar: atLeast(0.7) },
  { id: "pipelined.many", what: "5,000 names", atOnce: AT_ONCE, names: MANY, asks: "tcp", bar: atLeast(0.7) },
  { id: "one.unix", what: "5,000 names, unix socket", atOnce: 1, names: MANY, asks: "unix", bar: null },
  {
    id: "pipelined.unix",
    what: "5,000 names, unix socket",
    atOnce: AT_ONCE,
    names: MANY,
    asks: "unix",
    bar: null,
  },
  { id: "one.bare", what: BARE, atOnce: 1, names: MANY, asks: "bare", bar: null },
  { id: "pipelined.bare", what: BARE, atOnce: AT_ONCE, names: MANY, asks: "bare", bar: null },
] as const;

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
    await socketmapLoad(bridge.address, all, { connections: 1, atOnce: AT_ONCE }).ask(all.keys.length);
    const measured: Measurement[] = [];
    for (const { id, what, atOnce, names, asks, bar } of COMPARISONS) {
      const how = `${atOnce === 1 ? "one at a time" : "pipelined"}, ${what}`;
      tell(`postfix: ${how}`);
      const load = { names: mixedNames(names, MAILBOXES), atOnce };
      measured.push({
        id: `postfix.${id}`,
        what: `RCPT TO, ${how}, against Postfix with its own lmdb table`,
        ...(await compare(load, own, asking[asks], asks === "bare" ? bareService : bridge, extent)),
        ...(bar && { bar }),
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

/** Lookups between two counts. @throws if the bridge did not answer each from its cache: then something else was timed */
function fromCache(before: Lookups, after: Lookups): number {
  const [cache, elsewhere] = [after.cache - before.cache, after.elsewhere - before.elsewhere];
  if (cache > 0 && elsewhere === 0) return cache;
  throw new Error(`the bridge answered ${cache} lookups from its cache, and ${elsewhere} otherwise`);
}
