/**
 * Backscatter, made and unmade: a front Postfix that relays to a server with the mailboxes. 500 messages with forged
 * senders go to 500 recipients who do not exist, and 50 letters to recipients who do. What is counted are messages
 * that arrive at real SMTP servers. Everything runs on 127.0.0.1, from folders that are gone afterwards.
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

/** What came of one act. */
export interface Act {
  readonly title: string;
  /** Strays that the client was refused with 5xx at RCPT TO; in the end, where it was told to wait before. */
  readonly refused: number;
  /** Strays that it was told to try again later. */
  readonly deferred: number;
  /** Strays that the front took. */
  readonly accepted: number;
  /** Codes of all refusals. */
  readonly codes: readonly number[];
  /** Messages that arrived at the server of the people whose addresses were forged. */
  readonly bounces: number;
  /** Letters that arrived at the server with the mailboxes, each counted once. */
  readonly arrived: number;
  /** Letters that arrived twice. */
  readonly twice: number;
  /** Letters that waited in the sender's queue meanwhile. */
  readonly waited: number;
  /** Messages that came back to those who wrote letters. */
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

/** Both, well mixed: a letter behind every ten strays. */
const mixed = strays.flatMap((stray, i) => {
  const letter = i % 10 === 9 ? letters[(i - 9) / 10] : undefined;
  return letter === undefined ? [stray] : [stray, letter];
});

/** Servers of other people; they stay from act to act, and are emptied between them. */
interface World {
  readonly cleanup: Cleanup;
  /** Has the mailboxes, and refuses those that it does not know with 550. */
  readonly backend: Sink;
  /** Takes mail for forged.example. */
  readonly victims: Sink;
  /** Takes mail for letters.example. */
  readonly authors: Sink;
}

/** Plays all three acts. @param say is told what goes on */
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
    say("act one: the front takes everything for example.com");
    const one = await actOne(world);
    say("act two: the front asks Rollcall");
    const edge = await startEdge(cleanup);
    await edge.publish(
      "example.com",
      ["postmaster@example.com", ...readers].map((who) => `${who},active`),
    );
    const two = await actTwo(world, edge);
    say("act three: the edge goes away in the middle, and comes back");
    const three = await actThree(world, edge);
    return [one, two, three];
  } finally {
    await cleanup.run();
  }
}

async function actOne(world: World): Promise<Act> {
  empty(world);
  // The page that is pasted for Rollcall, without its table.
  const front = await startFront(world, { socketmap: 9, policy: 9 }, "relay_recipient_maps =");
  const sent = await send(front.port, mixed);
  await untilEmpty(front, 60_000);
  await front.stop();
  return actOf("without Rollcall", world, tally(sent));
}

async function actTwo(world: World, edge: Edge): Promise<Act> {
  empty(world);
  const bridge = await startBridge(edge, world.cleanup);
  const front = await startFront(world, bridge);
  const sent = await send(front.port, mixed);
  await untilEmpty(front, 60_000);
  await front.stop();
  await bridge.stop();
  return actOf("with Rollcall", world, tally(sent));
}

async function actThree(world: World, edge: Edge): Promise<Act> {
  empty(world);
  // A new one, which knows nobody yet: accepts that it knew would go on.
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
  await until("the other letters wait at their sender's", () => deferredBy(queue) === LETTERS - half.letters);
  const waited = deferredBy(queue);

  await edge.start();
  const after = await sendUntilDecided(front.port, meanwhile.filter(isDeferred));
  await untilEmpty(queue, 60_000);
  await untilEmpty(front, 60_000);
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

/** Letters that a queue could not deliver at once. */
const deferredBy = (queue: Postfix): number =>
  new Set([...queue.log().matchAll(/ to=<([^>]*)>.* status=deferred /g)].map(([, to]) => to)).size;

const isDeferred = ({ code }: Sent): boolean => code >= 400 && code < 500;

/** Tries again what was deferred, as clients do, until it is taken or refused. @returns the last replies */
async function sendUntilDecided(port: number, deferred: readonly Sent[]): Promise<Sent[]> {
  const decided: Sent[] = [];
  let left = deferred;
  await until(
    "every stray is taken or refused",
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

/** The front: the page as it is pasted, and where mail for others goes. */
function startFront(world: World, bridge: Pick<Bridge, "socketmap" | "policy">, more = ""): Promise<Postfix> {
  const { backend, victims, authors, cleanup } = world;
  const { socketmap, policy } = bridge;
  const main = page("relay-recipient-maps", { socketmap, policy, backend: backend.port });
  const rig = routes({ "forged.example": victims.port, "letters.example": authors.port });
  return startPostfix({ name: "front.example.org", main: `${main}\n${more}`, rig }, cleanup);
}

/** The mail server of those who write letters: it tries again, as every one does. */
function startSendersQueue({ authors, cleanup }: World, front: Postfix): Promise<Postfix> {
  const main = `
mydestination =
smtpd_relay_restrictions = permit_mynetworks, reject
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
`;
  const rig = routes({ "example.com": front.port, "letters.example": authors.port });
  return startPostfix({ name: "queue.letters.example", main, rig }, cleanup);
}

/** Which server of 127.0.0.1 is which domain's. There is no other way out. */
const routes = (ports: Readonly<Record<string, number>>): string => {
  const entries = Object.entries(ports).map(([domain, port]) => `{ ${domain} = smtp:[127.0.0.1]:${port} }`);
  return `transport_maps = inline:{ ${entries.join(", ")} }\ndefault_transport = error:5.1.2 nowhere`;
};

/** The address of clients that a Postfix of the rig takes for its own. */
const OWN_NETWORK = "127.0.0.2";

type Tally = Pick<Act, "refused" | "deferred" | "accepted" | "codes">;

/** How the strays among the messages fared. */
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
