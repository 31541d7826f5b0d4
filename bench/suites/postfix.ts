/** Recipients a second through Postfix: asking the bridge, beside a table of Postfix's own that holds the same list. */
import type { Bar, Extent, Measurement, Suite } from "../report/measurement.ts";
import { MAILBOXES, mixedNames, recipientsTable, serveBridgeWorld } from "../rig/bridge-world.ts";
import { DOMAIN, UNKNOWN } from "../rig/lists.ts";
import { makeLmdb, RecipientClient, type ServedPostfix, servePostfix } from "../rig/postfix.ts";
import { cpuOf, missingPackages } from "../rig/processes.ts";
import { interleave, spreadOf } from "../rig/rounds.ts";
import { type ServedBridge, type SocketmapService, serveBridge, servePeer } from "../rig/socketmap.ts";
import { lacksCompiler, socketmapLoad } from "../rig/socketmap-load.ts";

/**
 * Recipients that a pipelining client sends before it waits for the replies. Postfix writes 4,096 octets of replies at
 * once; were there more, its second write would wait for the client's delayed acknowledgement, 40 ms on either side.
 */
const AT_ONCE = 50;

/** Different names; half of them exist. */
const NAMES = { hot: 100, many: 5_000 } as const;

/** One comparison. */
interface Case {
  readonly id: string;
  readonly what: string;
  readonly names: number;
  readonly atOnce: number;
  readonly transport: "tcp" | "unix" | "bare";
  readonly bar?: Bar;
}

const oneByOne: Bar = { kind: "at least", value: 0.9 };
const pipelined: Bar = { kind: "at least", value: 0.7 };

const CASES: readonly Case[] = [
  {
    id: "one.hot",
    what: "one at a time, hot names",
    names: NAMES.hot,
    atOnce: 1,
    transport: "tcp",
    bar: oneByOne,
  },
  {
    id: "one.many",
    what: "one at a time, 5,000 names",
    names: NAMES.many,
    atOnce: 1,
    transport: "tcp",
    bar: oneByOne,
  },
  {
    id: "pipelined.hot",
    what: "pipelined, hot names",
    names: NAMES.hot,
    atOnce: AT_ONCE,
    transport: "tcp",
    bar: pipelined,
  },
  {
    id: "pipelined.many",
    what: "pipelined, 5,000 names",
    names: NAMES.many,
    atOnce: AT_ONCE,
    transport: "tcp",
    bar: pipelined,
  },
  {
    id: "one.unix",
    what: "one at a time, 5,000 names, unix socket",
    names: NAMES.many,
    atOnce: 1,
    transport: "unix",
  },
  {
    id: "pipelined.unix",
    what: "pipelined, 5,000 names, unix socket",
    names: NAMES.many,
    atOnce: AT_ONCE,
    transport: "unix",
  },
  {
    id: "one.bare",
    what: "one at a time, 5,000 names, asking a service in Node that looks for one word",
    names: NAMES.many,
    atOnce: 1,
    transport: "bare",
  },
  {
    id: "pipelined.bare",
    what: "pipelined, 5,000 names, asking a service in Node that looks for one word",
    names: NAMES.many,
    atOnce: AT_ONCE,
    transport: "bare",
  },
];

/** RCPT TO at a real Postfix. */
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
    if (process.getuid?.() !== 0) throw new Error("Postfix's master wants to be started by root");
    const ends: (() => unknown)[] = [];
    try {
      const world = await serveBridgeWorld(tell);
      ends.push(world.end);
      const bridge = await serveBridge(world);
      ends.push(bridge.stop);
      const lmdb = makeLmdb(MAILBOXES);
      ends.push(lmdb.end);
      const served = async (table: string): Promise<ServedPostfix> => {
        const started = await servePostfix(table);
        ends.push(started.stop);
        return started;
      };
      const bare = await servePeer("socketmap-bare.js", { UNKNOWN });
      ends.push(bare.stop);
      const own = await served(lmdb.table);
      const asking = {
        tcp: await served(`socketmap:${bridge.tcp}:recipients`),
        unix: await served(`socketmap:${bridge.address}:recipients`),
        // What any service in a process of its own could reach, over the transport that our page has.
        bare: await served(`socketmap:${bare.tcp}:recipients`),
      };
      // All names are in the bridge's cache from here on.
      // Postfix asks about the whole domain too, the first time that it finds no mailbox.
      const all = recipientsTable([...mixedNames(NAMES.many), `@${DOMAIN}`]);
      await socketmapLoad(bridge.address, all, { connections: 1, atOnce: AT_ONCE }).ask(all.keys.length);
      const measured: Measurement[] = [];
      for (const each of CASES) {
        tell(`postfix: ${each.what}`);
        measured.push(
          await compare(each, own, asking[each.transport], each.transport === "bare" ? bare : bridge, extent),
        );
      }
      return measured;
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
};

async function compare(
  { id, what, names, atOnce, bar }: Case,
  own: ServedPostfix,
  asking: ServedPostfix,
  service: SocketmapService | ServedBridge,
  extent: Extent,
): Promise<Measurement> {
  const list = mixedNames(names);
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.3 : 1);
  const clients = [await RecipientClient.open(own.port), await RecipientClient.open(asking.port)];
  try {
    const [theirs, ours] = clients as [RecipientClient, RecipientClient];
    const count = Math.ceil(seconds * (await theirs.name(list, 1_000, atOnce)));
    const shares: number[] = [];
    let named = 0;
    const lookups = "lookups" in service ? service.lookups : null;
    const before = await lookups?.();
    const compared = await interleave(
      extent.rounds,
      () => theirs.name(list, count, atOnce),
      async () => {
        const used = cpuOf(service.pid);
        const begun = performance.now();
        const rate = await ours.name(list, count, atOnce);
        named += atOnce * Math.ceil(count / atOnce);
        shares.push((cpuOf(service.pid) - used) / (performance.now() - begun));
        return rate;
      },
    );
    const after = await lookups?.();
    return {
      id: `postfix.${id}`,
      what: `RCPT TO, ${what}, against Postfix with its own lmdb table`,
      value: compared.ratio.median,
      unit: "x",
      lowest: compared.ratio.lowest,
      highest: compared.ratio.highest,
      ...(bar === undefined ? {} : { bar }),
      detail: {
        "recipients a second": compared.ours.median,
        "with lmdb, a second": compared.theirs.median,
        "service's share of a core": spreadOf(shares).median,
        ...(before && after ? { "lookups a recipient": fromCache(before, after) / named } : {}),
      },
    };
  } finally {
    for (const client of clients) client.close();
  }
}

type Lookups = Awaited<ReturnType<ServedBridge["lookups"]>>;

/** Lookups between two counts. @throws where the bridge did not answer each from its cache: then something else was timed */
function fromCache(before: Lookups, after: Lookups): number {
  const [cache, elsewhere] = [after.cache - before.cache, after.elsewhere - before.elsewhere];
  if (cache > 0 && elsewhere === 0) return cache;
  throw new Error(`the bridge answered ${cache} lookups from its cache, and ${elsewhere} otherwise`);
}
