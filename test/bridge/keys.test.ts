import { describe, expect, it } from "vitest";
import { line } from "../../src/bridge/protocols/line.ts";
import { policy } from "../../src/bridge/protocols/policy.ts";
import type { Exchange } from "../../src/bridge/protocols/protocol.ts";
import { socketmap } from "../../src/bridge/protocols/socketmap.ts";
import { parseRecipient } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { away, Bench, says } from "./support/bench.ts";

/*
 * Each form of key that a mail server sends, and what each map replies. One OK too many lets in mail for everybody; one
 * "no" too many refuses mail.
 */

/** Mailboxes of example.com, by the content of their local parts, in lower case. */
const MAILBOXES = new Set(["alice", "john doe", 'a"b', "a@b", "a%b", "x!a", "jörg", "postmaster"]);

/** An edge that serves example.com and bücher.example, both with the same list. */
const edge = (): Bench =>
  new Bench(({ recipient }) => {
    const read = parseRecipient(recipient);
    if (read.kind === "unlistable") return answerOf(recipient, "malformed");
    if (read.kind !== "mailbox") throw new Error(`asked about ${recipient}`);
    if (!["example.com", "xn--bcher-kva.example"].includes(read.domain)) {
      return answerOf(recipient, "not-served", { generation: null });
    }
    const name = read.local.toLowerCase().replace(/(?<=.)\+.*$/, "");
    return answerOf(
      recipient,
      MAILBOXES.has(name) ? "deliverable" : read.wellFormed ? "unknown" : "malformed",
    );
  });

const EXCHANGES = {
  recipients: (key: string) => socketmap.exchange({ map: "recipients", key }),
  domains: (key: string) => socketmap.exchange({ map: "domains", key }),
  access: (key: string) => socketmap.exchange({ map: "access", key }),
  policy: (recipient: string) =>
    policy.exchange(
      new Map(Object.entries({ request: "smtpd_access_policy", protocol_state: "RCPT", recipient })),
    ),
  line: (recipient: string) => line.exchange(recipient),
} satisfies Record<string, (key: string) => Exchange>;

type Replies = Partial<Record<keyof typeof EXCHANGES, RegExp>>;

/** What a map replies to a key; without the length of a netstring. */
async function replyTo(map: keyof typeof EXCHANGES, key: string, bench: Bench): Promise<string> {
  const exchange = EXCHANGES[map](key);
  const reply =
    exchange.kind === "reply"
      ? exchange.reply
      : exchange.reply((await bench.resolver.resolve(exchange.recipient)).answer);
  return /^\d+:(.*),$/.exec(reply)?.[1] ?? reply;
}

async function expectReplies(key: string, replies: Replies, bench = edge()): Promise<void> {
  for (const [map, pattern] of Object.entries(replies)) {
    expect.soft(await replyTo(map as keyof typeof EXCHANGES, key, bench), map).toMatch(pattern);
  }
}

const NOT_FOUND = /^NOTFOUND $/;
/** Replies if the map `access`, the policy service and the line give a code and a text. */
const coded = (code: string, recipients: RegExp): Replies => ({
  recipients,
  access: new RegExp(`^OK ${code} <.*>: \\S`),
  policy: new RegExp(`^action=${code} <.*>: \\S.*\\n\\n$`),
  line: new RegExp(`^${code} <.*>: \\S.*\\n$`),
});
const ACCEPTED: Replies = {
  recipients: /^OK deliverable$/,
  access: /^OK DUNNO$/,
  policy: /^action=DUNNO\n\n$/,
  line: /^250 2\.1\.5 <.+>: \S.*\n$/,
};
const MALFORMED = coded("501 5.1.3", NOT_FOUND);

/** Forms of key with the same replies; of some of them the edge is not asked. */
interface Group {
  readonly are: string;
  readonly replies: Replies;
  readonly isAsked?: false;
  readonly keys: readonly (readonly [form: string, key: string])[];
}

const GROUPS: readonly Group[] = [
  {
    are: "of a mailbox that exists: OK, DUNNO and 250, and no domain",
    replies: { ...ACCEPTED, domains: NOT_FOUND },
    keys: [
      ["an address", "alice@example.com"],
      ["any case", "Alice@Example.COM"],
      ["a subaddress", "alice+ext@example.com"],
      ["needless quotes", '"alice"@example.com'],
      ["quotes that are needed", '"john doe"@example.com'],
      ["the same without them", "john doe@example.com"],
      ["a quoted quote", '"a\\"b"@example.com'],
      ["the same without quotes", 'a"b@example.com'],
      ["a quoted @", '"a@b"@example.com'],
      ["the same without quotes: split at the last @", "a@b@example.com"],
      ["a percent sign", "a%b@example.com"],
      ["a bang", "x!a@example.com"],
      ["UTF-8", "jörg@example.com"],
      ["UTF-8 in capitals", "JÖRG@example.com"],
      ["UTF-8, decomposed", "jo\u0308rg@example.com"],
      ["a U-label", "alice@bücher.example"],
      ["a U-label with capitals left in, as Exim folds", "alice@bÜcher.example"],
      ["an A-label", "Alice@XN--BCHER-KVA.example"],
      ["a trailing dot", "alice@example.com."],
      ["a source route", "@relay.example:alice@example.com"],
      ["angle brackets", "<alice@example.com>"],
      ["postmaster", "Postmaster@example.com"],
      ["bare postmaster", "PostMaster"],
    ],
  },
  {
    are: "of a mailbox that does not exist: NOTFOUND and 550 5.1.1",
    replies: coded("550 5.1.1", NOT_FOUND),
    keys: [
      ["an address", "nobody@example.com"],
      ["a star as local part", "*@example.com"],
      ["a domain after the @: the empty local part, not a question for a catch-all", "@example.com"],
      ["the empty local part, quoted", '""@example.com'],
      ["a subaddress of no mailbox", "+ext@example.com"],
      ["a space before a name that exists", " alice@example.com"],
      ["a local part of 85 octets", `${"x".repeat(85)}@example.com`],
      ["unquoted special characters: the MTA has judged the syntax", "no,body(@example.com"],
    ],
  },
  {
    are: "no recipient: NOTFOUND in both maps, and 501 5.1.3 where only recipients are asked",
    replies: { ...MALFORMED, access: NOT_FOUND },
    isAsked: false,
    keys: [
      ["a bare local part", "alice"],
      ["a bare domain", "example.com"],
      ["an IP address", "192.0.2.7"],
      ["a star", "*"],
      ["an @ alone", "@"],
      ["a mailbox without a domain after its @", "alice@"],
      ["a parent domain", ".example.com"],
      ["a client, by its tag", "connect:host.example.com"],
      ["NUL, and no domain", "alice\u0000"],
    ],
  },
  {
    are: "no recipient of an access database: NOTFOUND",
    replies: { access: NOT_FOUND },
    isAsked: false,
    keys: [["a sender, by its tag", "from:alice@example.com"]],
  },
  {
    are: "no address: NOTFOUND and 501 5.1.3",
    replies: MALFORMED,
    isAsked: false,
    keys: [
      ["a mailbox below a parent domain", "alice@.example.com"],
      ["a domain with a space", "alice@example .com"],
      ["a text longer than any address", `${"x".repeat(9_000)}@example.com`],
    ],
  },
  {
    are: "of a domain that is not served: TEMP to an MTA that believes it serves it, and 550 5.7.1",
    replies: coded("550 5.7.1", /^TEMP 550 5\.7\.1 /),
    keys: [
      ["another domain", "alice@example.org"],
      ["a domain below one that is served", "alice@sub.example.com"],
      ["an address literal", "alice@[127.0.0.1]"],
      ["an address literal of IPv6", "alice@[IPv6:::1]"],
    ],
  },
  {
    are: "in the map of domains",
    replies: { domains: /^OK served$/ },
    keys: [
      "example.com",
      "Example.COM",
      "example.com.",
      "bücher.example",
      "BÜCHER.example",
      "xn--bcher-kva.example",
    ].map((key) => [key, key]),
  },
  {
    are: "not in the map of domains",
    replies: { domains: NOT_FOUND },
    keys: ["example.org", "sub.example.com", "com", "alice", "postmaster", "-"].map((key) => [key, key]),
  },
  {
    are: "not in the map of domains, without asking",
    replies: { domains: NOT_FOUND },
    isAsked: false,
    keys: [
      ...["*", ".example.com", "@example.com", "alice@example.com", "[127.0.0.1]", " example.com", "a b"],
      "\u0000",
    ].map((key) => [JSON.stringify(key), key]),
  },
];

describe.each(GROUPS)("keys $are", ({ replies, isAsked, keys }) => {
  it.each(keys)("%s", async (_, key) => {
    const bench = edge();
    if (isAsked === false) bench.edge = away;
    await expectReplies(key, replies, bench);
    if (isAsked === false) expect(bench.asked).toEqual([]);
  });
});

describe.each([
  ["NUL", "alice\u0000@example.com"],
  ["a line feed", "alice\n@example.com"],
  ["damaged UTF-8", "al\ufffdice@example.com"],
])("%s in a mailbox of a domain that may observe", (_, key) => {
  it("is NOTFOUND and 501 5.1.3 if the edge says so, and TEMP and 451 without its answer", async () => {
    await expectReplies(key, MALFORMED);
    await expectReplies(key, { recipients: /^TEMP /, line: /^451 / }, new Bench(away));
  });

  it("is accepted in every way if the domain observes", async () => {
    await expectReplies(key, ACCEPTED, new Bench(says("malformed", { mode: "observe" })));
  });
});
