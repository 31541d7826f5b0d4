/**
 * Recipients a second through a real Postfix: the bridge on a unix socket, beside the tables that Postfix asks today.
 * Names are hot, or never asked before.
 */
import { freePort } from "../../test/mta/support/waiting.ts";
import type { Extent, Measurement, Suite } from "../report/measurement.ts";
import { MAILBOXES, makeBridgeWorld, publishForBridge } from "../rig/bridge-world.ts";
import { serveBackend, serveMariadb, serveSlapd } from "../rig/directory-servers.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import {
  makeLmdb,
  RecipientClient,
  type ServedPostfix,
  servePostfix,
  serveVerifyingPostfix,
} from "../rig/postfix.ts";
import { missingPackages } from "../rig/processes.ts";
import { interleave } from "../rig/rounds.ts";
import { serveBridge } from "../rig/socketmap.ts";

const HOT_NAMES = 100;
/** Half of what one reply of Postfix may hold; see the suite `postfix`. */
const AT_ONCE = 50;
/** `reject_unverified_recipient` waits three seconds for its probe of a new name, so it is asked for few. */
const PROBED = { hotNames: 4, mostNew: 2 };

interface Contestant {
  readonly id: string;
  readonly what: string;
  readonly served: ServedPostfix;
  /** New names that one round may take; no limit by default. */
  readonly mostNew?: number;
  /** Default: {@link HOT_NAMES}. */
  readonly hotNames?: number;
}

export const maps: Suite = {
  name: "maps",
  lacks: () =>
    missingPackages({
      "/usr/lib/postfix/sbin/master": "postfix",
      "/usr/lib/postfix/postfix-lmdb.so": "postfix-lmdb",
      "/usr/lib/postfix/postfix-mysql.so": "postfix-mysql",
      "/usr/lib/postfix/postfix-ldap.so": "postfix-ldap",
      mariadbd: "mariadb-server",
      slapd: "slapd",
    }),
  async run(extent, tell) {
    if (process.getuid?.() !== 0) throw new Error("Postfix's master must be started by root");
    await using world = await makeBridgeWorld();
    await using edge = await world.serve();
    const asking = await publishForBridge(world, edge, tell);
    await using bridge = await serveBridge(asking);
    using lmdb = makeLmdb(MAILBOXES);
    await using mariadb = await serveMariadb(MAILBOXES);
    await using slapd = await serveSlapd(MAILBOXES, await freePort());
    await using backend = await serveBackend();
    await using own = await servePostfix(lmdb.table);
    await using proxied = await servePostfix(`proxy:${lmdb.table}`);
    await using sql = await servePostfix(mariadb.table);
    await using ldap = await servePostfix(slapd.table);
    await using verifying = await serveVerifyingPostfix(backend.port);
    await using asks = await servePostfix(`socketmap:${bridge.address}:recipients`);
    const contestants: readonly Contestant[] = [
      { id: "bridge", what: "the bridge, asking the edge", served: asks },
      { id: "proxy-lmdb", what: "proxy:lmdb", served: proxied },
      { id: "mysql", what: "mysql: to a local MariaDB", served: sql },
      { id: "ldap", what: "ldap: to a local OpenLDAP", served: ldap },
      {
        id: "verify",
        what: "reject_unverified_recipient to a local backend",
        served: verifying,
        ...PROBED,
      },
    ];
    const measured: Measurement[] = [];
    for (const contestant of contestants) {
      const names = { newNames: new NewNames(), lmdbNames: new NewNames() };
      for (const atOnce of [1, AT_ONCE]) {
        tell(`maps: ${contestant.what}, ${atOnce} at a time`);
        measured.push(...(await compare(names, contestant, own, atOnce, extent)));
      }
    }
    return measured;
  },
};

async function compare(
  { newNames, lmdbNames }: { readonly newNames: NewNames; readonly lmdbNames: NewNames },
  { id, what, served, mostNew = Number.POSITIVE_INFINITY, hotNames = HOT_NAMES }: Contestant,
  own: ServedPostfix,
  atOnce: number,
  extent: Extent,
): Promise<Measurement[]> {
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.3 : 1);
  using theirs = await RecipientClient.open(own.port);
  using ours = await RecipientClient.open(served.port);
  const how = atOnce === 1 ? "one" : "pipelined";
  const hot = Array.from({ length: hotNames }, (_, number) => nameOf(number));
  await ours.name(hot, hot.length, atOnce);
  const measured: Measurement[] = [];
  for (const kind of ["hot", "new"] as const) {
    const rate = await theirs.name(hot, 1_000, atOnce);
    const count = Math.ceil(seconds * rate);
    const ourCount = kind === "hot" ? count : Math.min(count, mostNew);
    const {
      ratio,
      ours: our,
      theirs: their,
    } = await interleave(
      extent.rounds,
      () => theirs.name(kind === "hot" ? hot : lmdbNames.take(count), count, atOnce),
      () => ours.name(kind === "hot" ? hot : newNames.take(ourCount), ourCount, Math.min(atOnce, ourCount)),
    );
    measured.push({
      id: `maps.${how}.${kind}.${id}`,
      what: `RCPT TO, ${how === "one" ? "one at a time" : how}, ${kind === "hot" ? "hot names" : "names never asked before"}: ${what}, against lmdb`,
      ...ratio,
      unit: "x",
      detail: { "recipients a second": our.value, "with lmdb, a second": their.value },
    });
  }
  return measured;
}

/** Names that were not asked before, every other one on the list, as long as that lasts: 200,000 names. */
class NewNames {
  #taken = HOT_NAMES;

  take(count: number): string[] {
    const from = this.#taken;
    this.#taken += count;
    return Array.from({ length: count }, (_, i) => nameOf(from + i));
  }
}

const nameOf = (number: number): string =>
  `${number % 2 === 0 ? `${KNOWN}${number >> 1}` : `${UNKNOWN}-${number}`}@${DOMAIN}`;
