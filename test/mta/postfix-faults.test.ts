import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, startBridge } from "./support/command.ts";
import { BRIEF, type EdgeFront, startEdgeFront } from "./support/edge-front.ts";
import { MISBEHAVIOURS } from "./support/misbehaviour.ts";
import { page, WAYS, type Way } from "./support/pages.ts";
import { type Postfix, startPostfix, WITHOUT_POSTFIX } from "./support/postfix.ts";
import { codesOf, type Reply, SmtpSession } from "./support/smtp-client.ts";
import { pause } from "./support/waiting.ts";
import { expectWritten, table } from "./support/written.ts";

/** One way to ask, with a bridge and an edge of its own. */
interface Line {
  readonly way: Way;
  readonly front: EdgeFront;
  readonly bridge: Bridge;
  readonly postfix: Postfix;
}

interface Fault {
  readonly name: string;
  begin(line: Line): unknown;
  end(line: Line): unknown;
  /** Whether what the bridge knew is still there while the fault lasts. */
  readonly keepsCache: boolean;
  /** Whether the SMTP client notices nothing. */
  readonly unseen?: boolean;
  /** Whether the reply has to wait for a timeout. */
  readonly takesTime?: boolean;
}

const edgeFaults: readonly Fault[] = [
  {
    name: "refuses connections",
    begin: ({ front }) => front.close(),
    end: ({ front }) => front.listen(),
    keepsCache: true,
  },
  ...Object.entries(MISBEHAVIOURS).map(([name, misbehaviour]) => ({
    name,
    begin: ({ front }: Line) => {
      front.misbehaviour = misbehaviour;
    },
    end: ({ front }: Line) => {
      front.misbehaviour = null;
    },
    keepsCache: true,
    takesTime: name.startsWith("hangs"),
  })),
  {
    name: "its name is not found (DNS)",
    begin: async ({ bridge }) => {
      await bridge.stop();
      await bridge.start("http://edge.rollcall.invalid");
    },
    end: async ({ bridge, front }) => {
      await bridge.stop();
      await bridge.start(front.url);
    },
    keepsCache: false,
    // As long as the resolver takes to say so.
    takesTime: true,
  },
];
const atTheEdge = edgeFaults.map((fault) => ({ ...fault, name: `edge: ${fault.name}` }));

const atTheBridge: readonly Fault[] = [
  {
    name: "bridge: stopped",
    begin: ({ bridge }) => bridge.stop(),
    end: ({ bridge }) => bridge.start(),
    keepsCache: false,
  },
  {
    name: "bridge: killed",
    begin: ({ bridge }) => bridge.stop("SIGKILL"),
    end: ({ bridge }) => bridge.start(),
    keepsCache: false,
  },
  {
    name: "bridge: restarted",
    begin: async ({ bridge }) => {
      await bridge.stop();
      await bridge.start();
    },
    end: () => undefined,
    keepsCache: false,
    unseen: true,
  },
];

/** Recipients by what the bridge may still know about them; each is asked in a conversation of its own. */
const RECIPIENTS = {
  /** Accepted before; the answer's max_age is over. */
  known: { local: "known.brief", truth: 250, askedBefore: true },
  /** Refused before, within the window. */
  refused: { local: "stranger", truth: 550, askedBefore: true },
  /** Refused before; the window is over. */
  refusedLongAgo: { local: "stranger.brief", truth: 550, askedBefore: true },
  newAndKnown: { local: "known", truth: 250, askedBefore: false },
  newAndUnknown: { local: "nobody", truth: 550, askedBefore: false },
} as const;
type Kind = keyof typeof RECIPIENTS;
const KINDS = Object.keys(RECIPIENTS) as Kind[];

const LIMIT_MS = 5_000;
/** Waiting for a silent edge takes the bridge three seconds; nothing else takes nearly as long. */
const AT_ONCE_MS = 2_900;

const TITLES: Readonly<Record<Way, string>> = {
  "relay-recipient-maps": "recipient table",
  "access-map": "access map",
  "policy-service": "policy service",
};

async function startLine(way: Way, cleanup: Cleanup): Promise<Line> {
  const front = await startEdgeFront(cleanup);
  const bridge = await startBridge(front, cleanup);
  const { socketmap, policy } = bridge;
  // Nothing is delivered: no process listens on port 9.
  const main = page(way, { socketmap, policy, backend: 9 });
  const postfix = await startPostfix({ name: `${way}.example.org`, main }, cleanup);
  return { way, front, bridge, postfix };
}

const openAt = ({ postfix }: Line): Promise<SmtpSession> =>
  SmtpSession.open({ port: postfix.port, sender: "someone@elsewhere.example" });

/** Seconds after which a silent bridge is given up, and whether the conversation recovers with it. */
const WHEN_FROZEN: Readonly<Record<Way, { seconds: number; after: number }>> = {
  "relay-recipient-maps": { seconds: 100, after: 451 },
  "access-map": { seconds: 100, after: 451 },
  "policy-service": { seconds: 9, after: 250 },
};

async function observeFrozen(line: Line): Promise<string[]> {
  const { seconds, after } = WHEN_FROZEN[line.way];
  const session = await openAt(line);
  await session.expect(250, session.rcpt("<known.before@example.com>"));
  line.bridge.signal("SIGSTOP");
  const reply = await session.rcpt("<known.meanwhile@example.com>");
  line.bridge.signal("SIGCONT");
  expect(reply.code, line.way).toBe(451);
  expect(reply.ms / 1000, line.way).toBeGreaterThan(seconds - 1);
  expect(reply.ms / 1000, line.way).toBeLessThan(seconds + 5);
  const fresh = await openAt(line);
  const other = await fresh.expect(250, fresh.rcpt("<known.other@example.com>"));
  const same = await session.rcpt("<known.after@example.com>");
  expect(same.code, line.way).toBe(after);
  for (const each of [session, fresh]) await each.quit();
  return [TITLES[line.way], codesOf(reply), `${seconds} s`, codesOf(same), codesOf(other)];
}

describe.skipIf(WITHOUT_POSTFIX !== null)(
  `Postfix under faults${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`,
  () => {
    const cleanup = new Cleanup();
    const lines: Line[] = [];
    const rows: string[][] = [];
    let frozen: Promise<PromiseSettledResult<string[]>[]>;
    let round = 0;
    let tried = 0;

    beforeAll(async () => {
      lines.push(...(await Promise.all(WAYS.map((way) => startLine(way, cleanup)))));
      // Postfix waits 100 seconds for a map: that goes on beside everything else.
      frozen = Promise.allSettled(WAYS.map(async (way) => observeFrozen(await startLine(way, cleanup))));
    }, 60_000);
    afterAll(() => cleanup.run(), 30_000);

    /** What a client sees before, during and after a fault. @returns what it saw during it */
    async function observe(line: Line, fault: Fault, id: string): Promise<string[]> {
      const addressOf = (kind: Kind): string => `<${RECIPIENTS[kind].local}.${id}@example.com>`;
      const sessions = new Map<Kind, SmtpSession>();
      const say = (kind: Kind): Promise<Reply> => (sessions.get(kind) as SmtpSession).rcpt(addressOf(kind));
      for (const kind of KINDS) sessions.set(kind, await openAt(line));
      // Also opens every connection of Postfix to the bridge: the fault finds them open.
      await (sessions.get("newAndKnown") as SmtpSession).rcpt(`<known.first.${id}@example.com>`);
      await (sessions.get("newAndUnknown") as SmtpSession).rcpt(`<known.second.${id}@example.com>`);
      for (const kind of KINDS) {
        if (RECIPIENTS[kind].askedBefore) expect((await say(kind)).code, kind).toBe(RECIPIENTS[kind].truth);
      }
      await pause(1000 * BRIEF + 50);

      await fault.begin(line);
      const replies = await Promise.all(KINDS.map(say));
      const seen = Object.fromEntries(KINDS.map((kind, i) => [kind, replies[i] as Reply])) as Record<
        Kind,
        Reply
      >;
      for (const kind of KINDS) {
        const { code, ms } = seen[kind];
        const mayKnow = fault.keepsCache && (kind === "known" || kind === "refused");
        const what = `${line.way}, ${fault.name}, ${kind}: ${code} ${seen[kind].text}`;
        if (fault.unseen || mayKnow) expect(code, what).toBe(RECIPIENTS[kind].truth);
        else expect([450, 451, 452], what).toContain(code);
        expect(ms, what).toBeLessThan(fault.takesTime ? LIMIT_MS : AT_ONCE_MS);
      }

      await fault.end(line);
      // The very first lookup after it is right, in a conversation from before the fault and in a new one.
      const fresh = await openAt(line);
      const after: Reply[] = [];
      for (const kind of ["newAndKnown", "newAndUnknown", "refusedLongAgo", "refused", "known"] as const) {
        const reply = await say(kind);
        expect(reply.code, `${line.way}, after ${fault.name}, ${kind}: ${reply.text}`).toBe(
          RECIPIENTS[kind].truth,
        );
        expect(reply.ms).toBeLessThan(LIMIT_MS);
        after.push(reply);
      }
      expect((await fresh.rcpt(`<known.new.${id}@example.com>`)).code).toBe(250);
      expect((await fresh.rcpt(`<nobody.new.${id}@example.com>`)).code).toBe(550);
      for (const session of [...sessions.values(), fresh]) await session.quit();
      return KINDS.map((kind) => codesOf(seen[kind]));
    }

    it.each([...atTheEdge, ...atTheBridge])("$name", { timeout: 40_000 }, async (fault) => {
      const id = String(++round);
      const seen = await Promise.all(lines.map((line) => observe(line, fault, id)));
      // Ways that say the same share a row.
      const byCodes = new Map<string, Way[]>();
      for (const [i, codes] of seen.entries()) {
        const key = codes.join("|");
        byCodes.set(key, [...(byCodes.get(key) ?? []), WAYS[i] as Way]);
      }
      for (const [key, ways] of byCodes) {
        const who = ways.length === WAYS.length ? "each" : ways.map((way) => TITLES[way]).join(", ");
        rows.push([fault.name, who, ...key.split("|"), fault.takesTime ? "within 5 s" : "at once"]);
      }
      tried++;
    });

    it("bridge: frozen, so that its system answers and it does not", { timeout: 150_000 }, async () => {
      const rows = (await frozen).map((each) => {
        if (each.status === "rejected") throw each.reason;
        return each.value;
      });
      const head = ["way", "reply", "after", "same session, after the recovery", "new session"];
      expectWritten("faults.md", "frozen", table(head, rows));
    });

    it("docs: the table of faults is what was seen", ({ skip }) => {
      skip(tried < atTheEdge.length + atTheBridge.length, "not every fault was tried");
      const head = [
        "fault",
        "way",
        "accepted before",
        "refused before, within the window",
        "refused before that",
        "exists, never asked",
        "unknown, never asked",
        "reply",
      ];
      expectWritten("faults.md", "faults", table(head, rows));
    });
  },
);
