/**
 * Recipients a second through each mail server: asking a bridge with a replica (or the edge itself), beside the same
 * server with the local list that its own manual gives. Servers and lists are those of integrations/.
 */
import type { Listeners, LocalList, MailServer, Rig, Way } from "../../integrations/rig.ts";
import { RIGS } from "../../integrations/rigs.ts";
import { freePort } from "../../testing/ports.ts";
import type { Extent, Measurement, Suite, Tell } from "../report/measurement.ts";
import { MAILBOXES, makeBridgeWorld, publishForBridge } from "../rig/bridge-world.ts";
import { DOMAIN, KNOWN, UNKNOWN } from "../rig/lists.ts";
import { RecipientClient } from "../rig/postfix.ts";
import { temporaryFolder } from "../rig/processes.ts";
import { replicaToken, serveReplica, spreadNames } from "../rig/replica.ts";
import { inTurns, median, ratioOf } from "../rig/rounds.ts";

/** Names of a round are of so many; the known ones are spread over the whole list. */
const NAMES = 5_000;
/** Replies to so many unknown names fit what Postfix writes at once; see the suite `postfix`. */
const AT_ONCE = 25;
/** Recipients of one SMTP session. Opening it is not timed. Servers end sessions that refuse more. */
const A_SESSION = 500;
const CODES = { known: "250", unknown: "550" };

export const frontEnds: Suite = {
  name: "front-ends",
  run: async (extent, tell) => {
    await using world = await makeBridgeWorld();
    await using edge = await world.serve();
    const { token: checkToken } = await publishForBridge(world, edge, tell);
    using folder = temporaryFolder();
    const token = await replicaToken(world, edge.origin);
    const ports = { policy: await freePort(), line: await freePort(), tcp: await freePort() };
    const listeners = Object.entries(ports).flatMap(([name, port]) => [`--${name}`, `127.0.0.1:${port}`]);
    await using bridge = await serveReplica({ origin: edge.origin, token }, folder, { listeners });
    const at: Listeners = {
      socketmap: (bridge.tcp as string).replace("inet:", ""),
      policy: `127.0.0.1:${ports.policy}`,
      line: `127.0.0.1:${ports.line}`,
      tcp: `127.0.0.1:${ports.tcp}`,
      http: "",
      edge: { url: edge.origin, token: checkToken, authority: null },
    };
    const measured: Measurement[] = [];
    for (const rig of RIGS) {
      for (const list of rig.localLists) {
        const missing = rig.missing ?? list.missing;
        if (missing === null) measured.push(...(await compare(rig, list, at, extent, tell)));
        else tell(`${rig.name}, ${list.name} is left out: ${missing}`);
      }
    }
    return measured;
  },
};

async function compare(
  rig: Rig,
  list: LocalList,
  listeners: Listeners,
  extent: Extent,
  tell: Tell,
): Promise<Measurement[]> {
  await using running = new Servers();
  const names = Array.from({ length: MAILBOXES }, (_, number) => `${KNOWN}${number}`);
  const own = running.keep(await list.start(DOMAIN, names));
  const ways: { readonly way: Way; readonly server: MailServer }[] = [];
  for (const name of list.ways) {
    const way = rig.ways.find((each) => each.name === name);
    if (way === undefined) throw new Error(`${rig.name} has no way ${name}`);
    ways.push({ way, server: running.keep(await rig.start(way, listeners, [DOMAIN])) });
  }
  using probe = await RecipientClient.open(own.port, rig.client);
  const measured: Measurement[] = [];
  for (const atOnce of probe.isPipelined ? [1, AT_ONCE] : [1]) {
    for (const kind of ["known", "unknown"] as const) {
      const what = `${atOnce === 1 ? "one at a time" : "pipelined"}, ${kind} names`;
      tell(`${rig.name}, ${list.name}: ${what}`);
      const load = { names: namesOf(kind), atOnce, from: rig.client };
      const seconds = Math.min(extent.seconds, extent.isQuick ? 0.1 : 0.3);
      const ours: Round[] = [];
      for (const { server } of ways) ours.push(await roundOf(server, load, seconds));
      const turns = await inTurns(extent.rounds, await roundOf(own, load, seconds), ours);
      for (const [i, { way }] of ways.entries()) {
        const rates = turns.ours[i] as number[];
        measured.push({
          id: `front-ends.${rig.name}.${way.name}.${atOnce === 1 ? "one" : "pipelined"}.${kind}`,
          what: `RCPT TO, ${what}: ${rig.name}, ${way.title}, against ${list.title}`,
          ...ratioOf(rates, turns.theirs),
          unit: "x",
          detail: {
            "recipients a second": median(rates),
            "with its local list, a second": median(turns.theirs),
          },
        });
      }
    }
  }
  return measured;
}

/** Servers that run until the comparison has ended. */
class Servers implements AsyncDisposable {
  readonly #all: MailServer[] = [];

  keep(server: MailServer): MailServer {
    this.#all.push(server);
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#all.reverse()) await each.stop();
  }
}

const namesOf = (kind: "known" | "unknown"): string[] =>
  kind === "known"
    ? spreadNames(MAILBOXES, NAMES)
    : Array.from({ length: NAMES }, (_, number) => `${UNKNOWN}${number}@${DOMAIN}`);

interface Load {
  readonly names: readonly string[];
  readonly atOnce: number;
  readonly from: string | undefined;
}

/** @returns recipients a second */
type Round = () => Promise<number>;

/** @returns a round of about so many seconds, after one that warms the server up */
async function roundOf(server: MailServer, load: Load, seconds: number): Promise<Round> {
  const ask = (count: number): Promise<number> => askAbout(server, load, count);
  const count = Math.ceil(seconds * (await ask(A_SESSION)));
  return () => ask(count);
}

/** Sessions, one after the other. @throws if a reply is wrong */
export async function askAbout(
  { port }: MailServer,
  { names, atOnce, from }: Load,
  count: number,
): Promise<number> {
  let seconds = 0;
  for (let asked = 0; asked < count; asked += A_SESSION) {
    using client = await RecipientClient.open(port, from, CODES);
    const some = Array.from(
      { length: Math.min(A_SESSION, count - asked) },
      (_, i) => names[(asked + i) % names.length] as string,
    );
    const recipients = Math.ceil(some.length / atOnce) * atOnce;
    seconds += recipients / (await client.name(some, some.length, atOnce));
  }
  return (Math.ceil(count / atOnce) * atOnce) / seconds;
}
