/**
 * Recipients a second through a real Postfix: the bridge with a replica and the bridge that asks the edge, beside the
 * tables that Postfix asks today. Names are hot, or new: never asked before.
 */
import { freePort } from "../../testing/ports.ts";
import { atLeast, type Extent, type Measurement, type Suite, type Tell } from "../report/measurement.ts";
import { MAILBOXES, makeBridgeWorld, publishForBridge } from "../rig/bridge-world.ts";
import { serveBackend, serveMariadb, serveSlapd } from "../rig/directory-servers.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import {
  makeLmdb,
  RecipientClient,
  type ServedPostfix,
  servePolicyPostfix,
  servePostfix,
  serveVerifyingPostfix,
} from "../rig/postfix.ts";
import { missingPackages, temporaryFolder } from "../rig/processes.ts";
import { replicaToken, serveReplica } from "../rig/replica.ts";
import { inTurns, median, ratioOf } from "../rig/rounds.ts";
import { serveBridge } from "../rig/socketmap.ts";

const HOT_NAMES = 100;
/** Half of what one reply of Postfix may hold; see the suite `postfix`. */
const AT_ONCE = 50;
/** `reject_unverified_recipient` waits three seconds for its probe of a new name: so many sessions ask at a time. */
const PROBING_SESSIONS = 50;

/** A table, and the Postfix that asks it. */
interface Contestant {
  readonly id: string;
  readonly what: string;
  readonly served: ServedPostfix;
  /** Whether it takes seconds for a new name: then a round takes one. */
  readonly isSlow?: true;
  /** What it has to reach, as a share of lmdb. */
  readonly bar?: Measurement["bar"];
  /** One of ours, so that it is no rival of the replica. */
  readonly isOurs?: true;
}

const REPLICA = "replica";

export const maps: Suite = { name: "maps", lacks, run };

function lacks(): string[] {
  return missingPackages({
    "/usr/lib/postfix/sbin/master": "postfix",
    "/usr/lib/postfix/postfix-lmdb.so": "postfix-lmdb",
    "/usr/lib/postfix/postfix-mysql.so": "postfix-mysql",
    "/usr/lib/postfix/postfix-ldap.so": "postfix-ldap",
    mariadbd: "mariadb-server",
    slapd: "slapd",
  });
}

async function run(extent: Extent, tell: Tell): Promise<Measurement[]> {
  if (process.getuid?.() !== 0) throw new Error("Postfix's master must be started by root");
  await using world = await makeBridgeWorld();
  await using edge = await world.serve();
  const asking = await publishForBridge(world, edge, tell);
  await using bridge = await serveBridge(asking);
  using folder = temporaryFolder();
  const token = await replicaToken(world, edge.origin);
  await using replica = await serveReplica({ origin: edge.origin, token }, folder);
  using lmdb = makeLmdb(MAILBOXES);
  await using mariadb = await serveMariadb(MAILBOXES);
  await using slapd = await serveSlapd(MAILBOXES, await freePort());
  await using backend = await serveBackend();
  await using own = await servePostfix(lmdb.table);
  await using holds = await servePostfix(`socketmap:${replica.address}:recipients`);
  await using overTcp = await servePostfix(`socketmap:${replica.tcp}:recipients`);
  await using policy = await servePolicyPostfix(replica.policy);
  await using asks = await servePostfix(`socketmap:${bridge.address}:recipients`);
  await using proxied = await servePostfix(`proxy:${lmdb.table}`);
  await using sql = await servePostfix(mariadb.table);
  await using ldap = await servePostfix(slapd.table);
  await using verifying = await serveVerifyingPostfix(backend.port);
  const probing = "reject_unverified_recipient to a local backend";
  const contestants: readonly Contestant[] = [
    {
      id: REPLICA,
      what: "replica, socketmap, unix socket",
      served: holds,
      bar: atLeast(0.8),
      isOurs: true,
    },
    { id: "replica-tcp", what: "replica, socketmap, TCP", served: overTcp, isOurs: true },
    { id: "replica-policy", what: "replica, policy service, unix socket", served: policy, isOurs: true },
    { id: "edge", what: "bridge asking the edge, socketmap, unix socket", served: asks, isOurs: true },
    { id: "proxy-lmdb", what: "proxy:lmdb", served: proxied },
    { id: "mysql", what: "mysql: to a local MariaDB, unix socket", served: sql },
    { id: "ldap", what: "ldap: to a local OpenLDAP", served: ldap },
    { id: "verify", what: probing, served: verifying, isSlow: true },
  ];
  const lmdbOwn: Contestant = { id: "lmdb", what: "lmdb", served: own };
  const racers = [lmdbOwn, ...contestants].map((each) => new Racer(each));
  const measured: Measurement[] = [];
  for (const atOnce of [1, AT_ONCE])
    for (const kind of ["hot", "new"] as const)
      measured.push(...(await race(racers, { atOnce, kind }, extent, tell)));
  return measured;
}

interface Race {
  readonly atOnce: number;
  readonly kind: "hot" | "new";
}

/** lmdb, one after the other of the contestants, lmdb, ...: each is divided by the mean of lmdb before and after. */
async function race(
  [lmdb, ...others]: readonly Racer[],
  { atOnce, kind }: Race,
  extent: Extent,
  tell: Tell,
): Promise<Measurement[]> {
  if (lmdb === undefined) return [];
  const how = atOnce === 1 ? "one at a time" : "pipelined";
  const what = `RCPT TO, ${how}, ${kind} names`;
  tell(what);
  const seconds = Math.min(extent.seconds, extent.isQuick ? 0.3 : 0.7);
  for (const racer of [lmdb, ...others]) await racer.open(kind, atOnce, seconds);
  try {
    const { ours: rates, theirs: own } = await inTurns(
      extent.rounds,
      () => lmdb.run(),
      others.map((racer) => () => racer.run()),
    );
    const id = `maps.${atOnce === 1 ? "one" : "pipelined"}.${kind}`;
    const measured = others.map(({ contestant }, i): Measurement => {
      const mine = rates[i] as number[];
      return {
        id: `${id}.${contestant.id}`,
        what: `${what}: ${contestant.what}, against lmdb`,
        ...ratioOf(mine, own),
        unit: "x",
        ...(contestant.bar && { bar: contestant.bar }),
        detail: { "recipients a second": median(mine), "with lmdb, a second": median(own) },
      };
    });
    return [...measured, ahead(id, what, others, rates)];
  } finally {
    for (const racer of [lmdb, ...others]) racer.close();
  }
}

/** The replica against the fastest of what Postfix asks today, lmdb left out, in the rounds of one race. */
function ahead(id: string, what: string, racers: readonly Racer[], rates: readonly number[][]): Measurement {
  const all = racers.map(({ contestant }, i) => ({ contestant, rates: rates[i] as number[] }));
  const ours = all.find(({ contestant }) => contestant.id === REPLICA)?.rates ?? [];
  const rivals = all.filter(({ contestant }) => contestant.isOurs !== true);
  const [best] = rivals.sort((a, b) => median(b.rates) - median(a.rates));
  if (best === undefined) throw new Error("the replica has no rival");
  return {
    id: `${id}.ahead`,
    what: `${what}: replica, unix socket, against the fastest but lmdb: ${best.contestant.id}`,
    ...ratioOf(ours, best.rates),
    unit: "x",
    bar: atLeast(1),
  };
}

/** One contestant, its session with Postfix, and its supply of names. */
class Racer {
  readonly contestant: Contestant;
  readonly #new = new NewNames();
  #client: RecipientClient | null = null;
  #round: () => Promise<number> = () => Promise.reject(new Error("no session is open"));

  constructor(contestant: Contestant) {
    this.contestant = contestant;
  }

  /** Asks the hot names, opens a session, and finds how many names fill a round. */
  async open(kind: Race["kind"], atOnce: number, seconds: number): Promise<void> {
    const { served, isSlow = false } = this.contestant;
    const hot = Array.from({ length: HOT_NAMES }, (_, number) => nameOf(number));
    await this.#warm(hot, isSlow ? PROBING_SESSIONS : 1);
    const client = await RecipientClient.open(served.port);
    this.#client = client;
    const ask = (count: number): Promise<number> =>
      kind === "hot"
        ? client.name(hot, count, atOnce)
        : client.name(this.#new.take(count), count, Math.min(atOnce, count));
    const isOne = kind === "new" && isSlow;
    const count = isOne ? 1 : Math.ceil(seconds * (await ask(500)));
    this.#round = () => ask(count);
  }

  async #warm(hot: readonly string[], sessions: number): Promise<void> {
    const each = Math.ceil(hot.length / sessions);
    const ask = async (_: unknown, session: number): Promise<void> => {
      using client = await RecipientClient.open(this.contestant.served.port);
      await client.name(hot.slice(session * each, (session + 1) * each), each, 1);
    };
    await Promise.all(Array.from({ length: sessions }, ask));
  }

  /** @returns recipients a second of one round */
  run(): Promise<number> {
    return this.#round();
  }

  close(): void {
    this.#client?.[Symbol.dispose]();
  }
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
