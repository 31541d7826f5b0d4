import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./support/cleanup.ts";
import { type Bridge, type Edge, startBridge, startEdge } from "./support/command.ts";
import { page, WAYS, type Way } from "./support/pages.ts";
import { type Postfix, startPostfix, untilEmpty, WITHOUT_POSTFIX } from "./support/postfix.ts";
import { type Sink, startSink } from "./support/sink.ts";
import { codesOf, type SessionOptions, SmtpSession } from "./support/smtp-client.ts";
import { expectWritten, table } from "./support/written.ts";

const LOGIN = { user: "ann", password: "correct horse" };
const OWN_NETWORK = "127.0.0.2";

const LIST = [
  "postmaster@example.com,active",
  "alice@example.com,active",
  "jörg@example.com,active",
  '"""john doe""@example.com",active',
  '"""a@b""@example.com",active',
  "per%cent@example.com,active",
  "leaver@example.com,disabled",
  "elsewhere@example.com,moved",
  "overfull@example.com,full",
];

/** What one of its own users sees; if one code is given, it is that of every way. */
interface Case {
  readonly what: string;
  readonly rcpt: string;
  readonly codes: string | Readonly<Record<Way, string>>;
}

const ways = (table: string, others: string): Record<Way, string> => ({
  "relay-recipient-maps": table,
  "access-map": others,
  "policy-service": others,
});

/** Those whom Postfix takes for its own; the map asks about their recipients too. */
const OWN_CASES: readonly Case[] = [
  { what: "foreign domain", rcpt: "<someone@foreign.example>", codes: "250 2.1.5" },
  { what: "deliverable", rcpt: "<alice@example.com>", codes: "250 2.1.5" },
  { what: "unknown", rcpt: "<nobody@example.com>", codes: ways("550 5.1.1", "250 2.1.5") },
];

const TITLES: Readonly<Record<Way, string>> = {
  "relay-recipient-maps": "recipient table",
  "access-map": "access map",
  "policy-service": "policy service",
};

const codesFor = ({ codes }: Case, way: Way): string => (typeof codes === "string" ? codes : codes[way]);

// The name says why, so that a run without Postfix is told from one with it.
describe.skipIf(WITHOUT_POSTFIX !== null)(`Postfix${WITHOUT_POSTFIX ? ` (${WITHOUT_POSTFIX})` : ""}`, () => {
  const cleanup = new Cleanup();
  const postfixes = new Map<Way, Postfix>();
  let edge: Edge;
  let bridge: Bridge;
  let backend: Sink;
  let elsewhere: Sink;

  beforeAll(async () => {
    edge = await startEdge(cleanup);
    await edge.publish("example.com", [...LIST, "gone@example.com,active"]);
    await edge.publish("example.com", LIST);
    await edge.publish("bücher.example", ["postmaster@bücher.example,active", "info@bücher.example,active"]);
    bridge = await startBridge(edge, cleanup);
    backend = await startSink(cleanup);
    elsewhere = await startSink(cleanup);
    await Promise.all(
      WAYS.map(async (way) => {
        const { socketmap, policy } = bridge;
        const main = page(way, { socketmap, policy, backend: backend.port });
        const rig = `default_transport = smtp:[127.0.0.1]:${elsewhere.port}`;
        const postfix = await startPostfix({ name: `${way}.example.org`, main, rig, login: LOGIN }, cleanup);
        postfixes.set(way, postfix);
      }),
    );
  });
  afterAll(() => cleanup.run());

  const portOf = (way: Way): number => (postfixes.get(way) as Postfix).port;

  /** What the server says to each recipient of one client, in one conversation. */
  async function seen(cases: readonly Case[], client: SessionOptions): Promise<string[]> {
    const session = await SmtpSession.open(client);
    await session.mail("someone@elsewhere.example", " SMTPUTF8");
    const replies: string[] = [];
    for (const { rcpt } of cases) replies.push(codesOf(await session.rcpt(rcpt)));
    await session.quit();
    return replies;
  }

  const named = (cases: readonly Case[], codes: readonly string[]): Record<string, string> =>
    Object.fromEntries(cases.map(({ rcpt }, i) => [rcpt, codes[i] ?? ""]));

  it.each(WAYS)("%s: a login and an own network still reach a foreign domain", async (way) => {
    const expected = named(
      OWN_CASES,
      OWN_CASES.map((each) => codesFor(each, way)),
    );
    const port = portOf(way);
    expect(named(OWN_CASES, await seen(OWN_CASES, { port, auth: LOGIN }))).toEqual(expected);
    expect(named(OWN_CASES, await seen(OWN_CASES, { port, from: OWN_NETWORK }))).toEqual(expected);
  });

  it.each(WAYS)("%s: what was accepted arrives, and nothing comes back", async (way) => {
    const postfix = postfixes.get(way) as Postfix;
    backend.messages.length = 0;
    elsewhere.messages.length = 0;
    const letters: [rcpt: string, arrivesAt: string][] = [
      ["<alice@example.com>", "alice@example.com"],
      ["<alice+lists@example.com>", "alice+lists@example.com"],
      ["<per%cent@example.com>", "per%cent@example.com"],
      ["<jörg@example.com>", "jörg@example.com"],
      // The sink shows domains in Unicode.
      ["<info@xn--bcher-kva.example>", "info@bücher.example"],
      ["<info@bücher.example>", "info@bücher.example"],
      ["<postmaster@example.com>", "postmaster@example.com"],
    ];
    for (const [rcpt] of letters) {
      const session = await SmtpSession.open({ port: postfix.port });
      await session.mail("someone@elsewhere.example", " SMTPUTF8");
      await session.expect(250, session.rcpt(rcpt));
      await session.expect(250, session.data("Subject: a letter\r\n\r\nHello."));
      await session.quit();
    }
    const own = await SmtpSession.open({ port: postfix.port, auth: LOGIN, sender: "alice@example.com" });
    await own.expect(250, own.rcpt("<someone@foreign.example>"));
    await own.expect(250, own.data("Subject: a letter out\r\n\r\nHello."));
    await own.quit();
    await untilEmpty(postfix);
    expect(backend.messages.flatMap(({ to }) => to).sort()).toEqual(letters.map(([, to]) => to).sort());
    expect(elsewhere.messages).toMatchObject([
      { from: "alice@example.com", to: ["someone@foreign.example"] },
    ]);
  });

  it("the settings of each page are what Postfix makes of them", () => {
    for (const [way, postfix] of postfixes) {
      expect(postfix.setting("parent_domain_matches_subdomains"), way).toBe("");
      expect(postfix.setting("relay_recipient_maps") !== "", way).toBe(way === "relay-recipient-maps");
      expect(postfix.log(), way).not.toMatch(/unused parameter|warning: .*main\.cf|fatal:/);
    }
  });

  it("docs: the table of what the server's own users see is what was seen", async () => {
    const own = await Promise.all(WAYS.map((way) => seen(OWN_CASES, { port: portOf(way), auth: LOGIN })));
    const rows = OWN_CASES.map(({ what, rcpt }, i) => [
      what,
      `\`${rcpt}\``,
      ...own.map((codes) => codes[i] ?? ""),
    ]);
    const head = ["RCPT TO", "as sent", ...WAYS.map((way) => TITLES[way])];
    expectWritten("postfix.md", "own", table(head, rows));
  });

  it("docs: what postmap -q gives for each form of key", async () => {
    const keys = [
      "alice@example.com",
      "Alice@Example.COM",
      "alice+lists@example.com",
      '"alice"@example.com',
      '"john doe"@example.com',
      "john doe@example.com",
      "a@b@example.com",
      "per%cent@example.com",
      "jörg@example.com",
      "JÖRG@example.com",
      "info@bücher.example",
      "info@xn--bcher-kva.example",
      "alice@example.com.",
      "@relay.example:alice@example.com",
      "postmaster",
      "postmaster@example.com",
      "nobody@example.com",
      "leaver@example.com",
      "elsewhere@example.com",
      "overfull@example.com",
      "gone@example.com",
      "alice@example.net",
      "alice@[127.0.0.1]",
      "alice",
      "alice@",
      "@example.com",
      '""@example.com',
      "*",
      "example.com",
      "EXAMPLE.com",
      "bücher.example",
      "xn--bcher-kva.example",
      "example.net",
      "sub.example.com",
      ".example.com",
    ];
    const postfix = postfixes.get("relay-recipient-maps") as Postfix;
    const socketmap = `socketmap:inet:127.0.0.1:${bridge.socketmap}`;
    const tables = {
      recipients: `${socketmap}:recipients`,
      access: `${socketmap}:access`,
      domains: `${socketmap}:domains`,
      tcp: `tcp:127.0.0.1:${bridge.ports.tcp}`,
    };
    const answerOf = async (name: string, key: string): Promise<string> => {
      const { code, stdout, stderr } = await postfix.query(name, key);
      if (code === 0) return `\`${stdout.trimEnd()}\``;
      if (stderr === "") return "not found";
      expect(stderr).toMatch(/query error/);
      const [, codes] = /(?:temporary error|\b400): ?.*?(\d{3} \d\.\d\.\d)/.exec(stderr) ?? [];
      return `query error${codes === undefined ? "" : ` (${codes})`}`;
    };
    const rows: string[][] = [];
    for (const key of keys) {
      rows.push([
        `\`${key}\``,
        ...(await Promise.all(Object.values(tables).map((name) => answerOf(name, key)))),
      ]);
    }
    expectWritten("postfix.md", "postmap", table(["key", ...Object.keys(tables)], rows));
  });
});
