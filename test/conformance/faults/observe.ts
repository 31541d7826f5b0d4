import { expect } from "vitest";
import { codesOf, type Reply } from "../../mta/support/smtp-client.ts";
import { inTime, pause, until } from "../../mta/support/waiting.ts";
import type { Fault } from "./faults.ts";
import { asksBridge, type Conversation, DISHONEST, type Line, patienceOf } from "./line.ts";
import { BRIEF } from "./truth.ts";

/** Recipients by what the bridge may still know about them; each is asked in a conversation of its own. */
const RECIPIENTS = {
  /** Accepted before; the answer's max_age is over. */
  known: { local: "known.brief", exists: true, askedBefore: true },
  /** Refused before, within the window. */
  refused: { local: "stranger", exists: false, askedBefore: true },
  /** Refused before; the window is over. */
  refusedLongAgo: { local: "stranger.brief", exists: false, askedBefore: true },
  newAndKnown: { local: "known", exists: true, askedBefore: false },
  newAndUnknown: { local: "nobody", exists: false, askedBefore: false },
} as const;
type Kind = keyof typeof RECIPIENTS;
const KINDS = Object.keys(RECIPIENTS) as Kind[];

/** For the head of the table, in the order of {@link KINDS}. */
export const KIND_TITLES = [
  "accepted before",
  "refused before, within the window",
  "refused before that",
  "exists, never asked",
  "unknown, never asked",
];

export const LIMIT_MS = 5_000;
/** Waiting for a silent edge takes the bridge three seconds; nothing else takes nearly as long. */
const AT_ONCE_MS = 2_900;

const isDeferral = ({ code }: Reply): boolean => [450, 451, 452].includes(code);

/** What a client sees before, during and after a fault. @returns what it saw during it */
export async function observe(line: Line, fault: Fault, id: string): Promise<string[]> {
  const open: Conversation[] = [];
  let isOver = true;
  const watched: Fault = {
    ...fault,
    begin: (each) => {
      isOver = false;
      return fault.begin(each);
    },
    end: (each) => {
      isOver = true;
      return fault.end(each);
    },
  };
  try {
    return await observeIn(line, watched, id, open);
  } finally {
    // A failure leaves nothing behind that the next fault would meet.
    for (const session of open) session.destroy();
    if (!isOver) await fault.end(line);
  }
}

async function observeIn(line: Line, fault: Fault, id: string, open: Conversation[]): Promise<string[]> {
  const { way } = line;
  const patience = patienceOf(way, fault.kind);
  const limit = 1000 * (patience?.seconds ?? LIMIT_MS / 1000);
  const { refusal = 550 } = way;
  const truthOf = (kind: Kind): number => (RECIPIENTS[kind].exists ? 250 : refusal);
  const addressOf = (kind: Kind): string => `<${RECIPIENTS[kind].local}.${id}@example.com>`;
  const sessions = new Map<Kind, Conversation>();
  const say = (kind: Kind): Promise<Reply> => (sessions.get(kind) as Conversation).rcpt(addressOf(kind));
  for (const kind of KINDS) {
    const session = await line.open();
    open.push(session);
    sessions.set(kind, session);
  }
  // Also opens every connection of the server to the bridge: the fault finds them open.
  await (sessions.get("newAndKnown") as Conversation).rcpt(`<known.first.${id}@example.com>`);
  await (sessions.get("newAndUnknown") as Conversation).rcpt(`<known.second.${id}@example.com>`);
  for (const kind of KINDS) {
    if (!RECIPIENTS[kind].askedBefore) continue;
    // A busy machine may answer too late; the fault waits until it knows the recipient.
    await until(`${kind} has its verdict`, async () => (await say(kind)).code === truthOf(kind));
  }
  await pause(1000 * BRIEF + 50);

  await fault.begin(line);
  const replies = await Promise.all(KINDS.map(say));
  const seen = Object.fromEntries(KINDS.map((kind, i) => [kind, replies[i] as Reply])) as Record<Kind, Reply>;
  // Its refusal holds so briefly that it may be too old when it reaches a bridge on a busy machine.
  if (fault.isUnseen && patience?.defersInSession === undefined && isDeferral(seen.refusedLongAgo))
    await until("what is refused briefly is refused", async () => {
      seen.refusedLongAgo = await say("refusedLongAgo");
      return !isDeferral(seen.refusedLongAgo);
    });
  for (const kind of KINDS) {
    const reply = seen[kind];
    const truth = truthOf(kind);
    const mayKnow = fault.keepsCache && asksBridge(way) && (kind === "known" || kind === "refused");
    const what = `${way.title}, ${fault.name}, ${kind}: ${reply.code} ${reply.text}`;
    if (fault.isUnseen && patience?.defersInSession !== undefined && isDeferral(reply)) continue;
    if (fault.isUnseen || mayKnow) expect(reply.code, what).toBe(truth);
    else {
      expect(isDeferral(reply), what).toBe(true);
      expect(reply.text.replace(/<[^>]*>/g, ""), what).not.toMatch(DISHONEST);
    }
    const isPatient = fault.takesTime || patience?.seconds !== undefined;
    const most = isPatient ? limit : AT_ONCE_MS;
    if (reply.ms < most) continue;
    await inTime(most, async () => {
      const session = await line.open();
      open.push(session);
      return session.rcpt(addressOf(kind));
    });
  }
  expect(line.isRunning?.(), fault.name).not.toBe(false);

  await fault.end(line);
  // The very first lookup after it is right, in a conversation from before the fault and in a new one.
  const fresh = await line.open();
  open.push(fresh);
  expect((await fresh.rcpt(`<known.new.${id}@example.com>`)).code).toBe(250);
  expect((await fresh.rcpt(`<nobody.new.${id}@example.com>`)).code).toBe(refusal);
  for (const kind of ["newAndKnown", "newAndUnknown", "refusedLongAgo", "refused", "known"] as const) {
    let reply = await say(kind);
    if (patience?.defersInSession !== undefined && isDeferral(reply)) {
      reply = await say(kind);
      if (patience.defersInSession === "always" && isDeferral(reply)) continue;
    }
    expect(reply.code, `${way.title}, after ${fault.name}, ${kind}: ${reply.text}`).toBe(truthOf(kind));
  }
  expect(line.isRunning?.(), fault.name).not.toBe(false);
  for (const session of open) await session.quit();
  return KINDS.map((kind) => codesOf(seen[kind]));
}
