/**
 * Backscatter with and without Rollcall: a front Postfix relays to a server with the mailboxes. 500 messages with forged
 * senders go to 500 recipients that do not exist, and 50 letters to recipients that do. The counts are of messages that
 * arrive at real SMTP servers. Everything runs on 127.0.0.1, in temporary folders.
 */
import { Cleanup } from "../../test/mta/support/cleanup.ts";
import { type Bridge, type Edge, startBridge, startEdge } from "../../test/mta/support/command.ts";
import { page } from "../../test/mta/support/pages.ts";
import { type Postfix, startPostfix, untilEmpty } from "../../test/mta/support/postfix.ts";
import { type Sink, startSink } from "../../test/mta/support/sink.ts";
import { until } from "../../test/mta/support/waiting.ts";
import { type Sent, send } from "./client.ts";

export const STRAYS = 500;
export const LETTERS = 50;

/** The result of one act. */
export interface Act {
  readonly title: string;
  /** Strays rejected with 5xx at RCPT TO, including those deferred before. */
  readonly refused: number;
  /** Strays that were deferred. */
  readonly deferred: number;
  /** Strays that the front accepted. */
  readonly accepted: number;
  /** Codes of all rejections. */
  readonly codes: readonly number[];
  /** Messages that arrived at the server of the forged senders. */
  readonly bounces: number;
  /** Letters that arrived at the server with the mailboxes, each counted once. */
  readonly arrived: number;
  /** Letters that arrived twice. */
  readonly twice: number;
  /** Letters that waited in the sender's queue while the edge was away. */
  readonly waited: number;
  /** Messages that were returned to the authors of letters. */
  readonly returned: number;
}

/** An envelope to send. */
export interface Envelope {
  readonly from: string;
  readonly to: string;
}

const strays: readonly Envelope[] = Array.from({ length: STRAYS }, (_, i) => ({
  from: `victim-${i}@forged.example`,
  to: `stray-${i}@example.com`,
}));
const letters: readonly Envelope[] = Array.from({ length: LETTERS }, (_, i) => ({
  from: `author-${i}@letters.example`,
  to: `reader-${i}@example.com`,
}));

/** Both, mixed: a letter after every ten strays. */
const mixed = strays.flatMap((stray, i) => {
  const letter = i % 10 === 9 ? letters[(i - 9) / 10] : undefined;
  return letter === undefined ? [stray] : [stray, letter];
});

/** The other servers. They run through all acts and are emptied in between. */
interface World {
  readonly cleanup: Cleanup;
  /** Has the mailboxes, and rejects unknown recipients with 550. */
  readonly backend: Sink;
  /** Accepts mail for forged.example. */
  readonly victims: Sink;
  /** Accepts mail for letters.example. */
  readonly authors: Sink;
}

/** Plays all three acts. @param say receives progress messages */
export async function play(say: (line: string) => void = () => undefined): Promise<Act[]> {
  const cleanup = new Cleanup();
  const readers = new Set(letters.map(({ to }) => to));
  try {
    const world: World = {
      cleanup,
      backend: await startSink(cleanup, (recipient) => readers.has(recipient)),
      victims: await startSink(cleanup),
      authors: await startSink(cleanup),
    };
    say("act one: the front accepts everything for example.com");
    const one = await actOne(world);
    say("act two: the front asks Rollcall");
    const edge = await startEdge(cleanup);
    await edge.publish(
      "example.com",
      ["postmaster@example.com", ...readers].map((who) => `${who},active`),
    );
    const two = await actTwo(world, edge);
    say("act three: the edge goes away halfway, and comes back");
    const three = await actThree(world, edge);
    return [one, two, three];
  } finally {
    await cleanup.run();
  }
}

async function actOne(world: World): Promise<Act> {
  empty(world);
  // The configuration for Rollcall, without its table.
  const front = await startFront(world, { socketmap: 9, policy: 9 }, "relay_recipient_maps =");
  const sent = await send(front.port, mixed);
  await untilEmpty(front);
  await front.stop();
  return actOf("without Rollcall", world, tally(sent));
}

async function actTwo(world: World, edge: Edge): Promise<Act> {
  empty(world);
  const bridge = await startBridge(edge, world.cleanup);
  const front = await startFront(world, bridge);
  const sent = await send(front.port, mixed);
  await untilEmpty(front);
  await front.stop();
  await bridge.stop();
  return actOf("with Rollcall", world, tally(sent));
}

async function actThree(world: World, edge: Edge): Promise<Act> {
  empty(world);
  // A new bridge with an empty cache: a cached accept would stay valid.
  const bridge = await startBridge(edge, world.cleanup);
  const front = await startFront(world, bridge);
  const queue = await startSendersQueue(world, front);
  const half = { strays: STRAYS / 2, letters: LETTERS / 2 };

  const before = await send(front.port, strays.slice(0, half.strays));
  await send(queue.port, letters.slice(0, half.letters), OWN_NETWORK);
  await until("the first letters arrive", () => world.backend.messages.length === half.letters);

  await edge.stop();
  const meanwhile = await send(front.port, strays.slice(half.strays));
  await send(queue.port, letters.slice(half.letters), OWN_NETWORK);
  await until(
    "the other letters wait in their sender's queue",
    () => deferredBy(queue) === LETTERS - half.letters,
  );
  const waited = deferredBy(queue);

  await edge.start();
  const after = await sendUntilDecided(front.port, meanwhile.filter(isDeferred));
  // If a letter's next try is due while the last one still holds it, Postfix waits for a minute.
  await untilEmpty(queue);
  await untilEmpty(front);
  for (const each of [queue, front, bridge]) await each.stop();

  const first = tally([...before, ...meanwhile]);
  const second = tally(after);
  return actOf(
    "the edge goes away and comes back",
    world,
    {
      refused: first.refused + second.refused,
      deferred: first.deferred,
      accepted: first.accepted + second.accepted,
      codes: [...new Set([...first.codes, ...second.codes])].sort(),
    },
    waited,
  );
}

/** Letters that a queue could not deliver on the first attempt. */
const deferredBy = (queue: Postfix): number =>
  new Set([...queue.log().matchAll(/ to=<([^>]*)>.* status=deferred /g)].map(([, to]) => to)).size;

const isDeferred = ({ code }: Sent): boolean => code >= 400 && code < 500;

/** Retries deferred messages, as clients do, until they are accepted or rejected. @returns the last replies */
async function sendUntilDecided(port: number, deferred: readonly Sent[]): Promise<Sent[]> {
  const decided: Sent[] = [];
  let left = deferred;
  await until(
    "every stray is accepted or rejected",
    async () => {
      const sent = await send(
        port,
        left.map(({ envelope }) => envelope),
      );
      decided.push(...sent.filter((each) => !isDeferred(each)));
      left = sent.filter(isDeferred);
      return left.length === 0;
    },
    60_000,
  );
  return decided;
}

/** The front: the documented configuration, with routes for other domains. */
function startFront(world: World, bridge: Pick<Bridge, "socketmap" | "policy">, more = ""): Promise<Postfix> {
  const { backend, victims, authors, cleanup } = world;
  const { socketmap, policy } = bridge;
  const main = page("relay-recipient-maps", { socketmap, policy, backend: backend.port });
  const rig = routes({ "forged.example": victims.port, "letters.example": authors.port });
  return startPostfix({ name: "front.example.org", main: `${main}\n${more}`, rig }, cleanup);
}

/** The mail server of the authors of letters, which retries like any other. */
function startSendersQueue({ authors, cleanup }: World, front: Postfix): Promise<Postfix> {
  const main = `
mydestination =
smtpd_relay_restrictions = permit_mynetworks, reject
queue_run_delay = 1s
minimal_backoff_time = 5s
maximal_backoff_time = 5s
`;
  const rig = routes({ "example.com": front.port, "letters.example": authors.port });
  return startPostfix({ name: "queue.letters.example", main, rig }, cleanup);
}

/** Routes each domain to its server on 127.0.0.1, and nothing anywhere else. */
const routes = (ports: Readonly<Record<string, number>>): string => {
  const entries = Object.entries(ports).map(([domain, port]) => `{ ${domain} = smtp:[127.0.0.1]:${port} }`);
  return `transport_maps = inline:{ ${entries.join(", ")} }\ndefault_transport = error:5.1.2 nowhere`;
};

/** The client address that these Postfix instances treat as their own network. */
const OWN_NETWORK = "127.0.0.2";

type Tally = Pick<Act, "refused" | "deferred" | "accepted" | "codes">;

/** Results for the strays among the messages. */
function tally(sent: readonly Sent[]): Tally {
  const codes = sent.filter(({ envelope }) => envelope.to.startsWith("stray-")).map(({ code }) => code);
  const count = (first: number): number => codes.filter((code) => Math.floor(code / 100) === first).length;
  return {
    refused: count(5),
    deferred: count(4),
    accepted: count(2),
    codes: [...new Set(codes.filter((code) => code >= 500))],
  };
}

function actOf(title: string, { backend, victims, authors }: World, tally: Tally, waited = 0): Act {
  const arrivals = backend.messages.flatMap(({ to }) => to);
  const arrived = new Set(arrivals).size;
  return {
    title,
    ...tally,
    bounces: victims.messages.length,
    arrived,
    twice: arrivals.length - arrived,
    waited,
    returned: authors.messages.length,
  };
}

function empty({ backend, victims, authors }: World): void {
  for (const sink of [backend, victims, authors]) sink.messages.length = 0;
}
