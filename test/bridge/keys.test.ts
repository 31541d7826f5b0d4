import { describe, expect, it } from "vitest";
import { line } from "../../src/bridge/protocols/line.ts";
import { policy } from "../../src/bridge/protocols/policy.ts";
import type { Exchange } from "../../src/bridge/protocols/protocol.ts";
import { socketmap } from "../../src/bridge/protocols/socketmap.ts";
import { parseRecipient } from "../../src/directory/index.ts";
import { answerOf } from "./support/answers.ts";
import { away, Bench } from "./support/bench.ts";

/*
 * Each form of key that a mail server asks, and what each map says to it. One OK too many opens the door to
 * everybody; one "no" too many refuses mail.
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

async function said(exchange: Exchange, bench: Bench): Promise<string> {
  if (exchange.kind === "reply") return exchange.reply;
  return exchange.reply((await bench.resolver.resolve(exchange.recipient)).answer);
}

const withoutLength = (reply: string): string => /^\d+:(.*),$/.exec(reply)?.[1] ?? reply;

const ask = {
  recipients: async (key: string, bench = edge()) =>
    withoutLength(await said(socketmap.exchange({ map: "recipients", key }), bench)),
  domains: async (key: string, bench = edge()) =>
    withoutLength(await said(socketmap.exchange({ map: "domains", key }), bench)),
  access: async (key: string, bench = edge()) =>
    withoutLength(await said(socketmap.exchange({ map: "access", key }), bench)),
  policy: (recipient: string, bench = edge()) =>
    said(
      policy.exchange(
        new Map([
          ["request", "smtpd_access_policy"],
          ["protocol_state", "RCPT"],
          ["recipient", recipient],
        ]),
      ),
      bench,
    ),
  line: (recipient: string, bench = edge()) => said(line.exchange(recipient), bench),
};

describe.each([
  ["an address", "alice@example.com"],
  ["any case", "Alice@Example.COM"],
  ["a subaddress", "alice+ext@example.com"],
  ["needless quotes", '"alice"@example.com'],
  ["quotes that are needed", '"john doe"@example.com'],
  ["the same without them", "john doe@example.com"],
  ["a quoted quote", '"a\\"b"@example.com'],
  ["the same without quotes", 'a"b@example.com'],
  ["a quoted @", '"a@b"@example.com'],
  ["the same without quotes: cut at the last @", "a@b@example.com"],
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
])("%s, of a mailbox that exists", (_, key) => {
  it("is OK, DUNNO and 250", async () => {
    expect(await ask.recipients(key)).toBe("OK deliverable");
    expect(await ask.access(key)).toBe("OK DUNNO");
    expect(await ask.policy(key)).toBe("action=DUNNO\n\n");
    expect(await ask.line(key)).toMatch(/^250 2\.1\.5 <.+>: \S.*\n$/);
  });

  it("is no domain", async () => {
    expect(await ask.domains(key)).toBe("NOTFOUND ");
  });
});

describe.each([
  ["an address", "nobody@example.com"],
  ["a star as local part", "*@example.com"],
  ["a domain alone behind the @: the empty local part, not a question for a catch-all", "@example.com"],
  ["the empty local part, quoted", '""@example.com'],
  ["a subaddress of nobody", "+ext@example.com"],
  ["a space in front of a name that exists", " alice@example.com"],
  ["a local part of 85 octets", `${"x".repeat(85)}@example.com`],
  ["unquoted odd characters: the MTA has judged the syntax", "no,body(@example.com"],
])("%s, of a mailbox that does not exist", (_, key) => {
  it("is NOTFOUND and 550 5.1.1", async () => {
    expect(await ask.recipients(key)).toBe("NOTFOUND ");
    expect(await ask.access(key)).toMatch(/^OK 550 5\.1\.1 <.+>: \S/);
    expect(await ask.policy(key)).toMatch(/^action=550 5\.1\.1 <.+>: \S.*\n\n$/);
    expect(await ask.line(key)).toMatch(/^550 5\.1\.1 <.+>: \S.*\n$/);
  });
});

describe.each([
  ["a bare local part", "alice"],
  ["a bare domain", "example.com"],
  ["an IP address", "192.0.2.7"],
  ["a star", "*"],
  ["an @ alone", "@"],
  ["a mailbox without a domain behind its @", "alice@"],
  ["a parent domain", ".example.com"],
  ["a sender, by its tag", "from:alice@example.com"],
  ["a client, by its tag", "connect:host.example.com"],
])("%s, which is no recipient", (_, key) => {
  it("is NOTFOUND in both maps, and 501 5.1.3 where only recipients are asked", async () => {
    const bench = edge();
    bench.edge = away;
    expect(await ask.access(key, bench)).toBe("NOTFOUND ");
    if (key.includes(":") && key.includes("@")) return;
    expect(await ask.recipients(key, bench)).toBe("NOTFOUND ");
    expect(await ask.policy(key, bench)).toMatch(/^action=501 5\.1\.3 <.*>: \S.*\n\n$/);
    expect(await ask.line(key, bench)).toMatch(/^501 5\.1\.3 <.*>: \S.*\n$/);
    expect(bench.asked).toEqual([]);
  });
});

describe.each([
  ["a mailbox below a parent domain", "alice@.example.com"],
  ["a domain with a space", "alice@example .com"],
  ["NUL, and no domain", "alice\u0000"],
  ["a text longer than any address", `${"x".repeat(9_000)}@example.com`],
])("%s, which is no address", (_, key) => {
  it("is NOTFOUND and 501 5.1.3, without a question to the edge", async () => {
    const bench = edge();
    bench.edge = away;
    expect(await ask.recipients(key, bench)).toBe("NOTFOUND ");
    // Without an `@` it is no recipient's key there.
    expect(await ask.access(key, bench)).toMatch(
      key.includes("@") ? /^OK 501 5\.1\.3 <.*>: \S/ : /^NOTFOUND /,
    );
    expect(await ask.policy(key, bench)).toMatch(/^action=501 5\.1\.3 <.*>: \S.*\n\n$/);
    expect(await ask.line(key, bench)).toMatch(/^501 5\.1\.3 <.*>: \S.*\n$/);
    expect(bench.asked).toEqual([]);
  });
});

describe.each([
  ["NUL", "alice\u0000@example.com"],
  ["a line feed", "alice\n@example.com"],
  ["damaged UTF-8", "al\ufffdice@example.com"],
])("%s in a mailbox of a domain that may observe", (_, key) => {
  it("is NOTFOUND and 501 5.1.3 by the edge's word, and TEMP and 451 without it", async () => {
    expect(await ask.recipients(key)).toBe("NOTFOUND ");
    expect(await ask.access(key)).toMatch(/^OK 501 5\.1\.3 <.*>: \S/);
    expect(await ask.policy(key)).toMatch(/^action=501 5\.1\.3 <.*>: \S.*\n\n$/);
    expect(await ask.line(key)).toMatch(/^501 5\.1\.3 <.*>: \S.*\n$/);
    const bench = edge();
    bench.edge = away;
    expect(await ask.recipients(key, bench)).toMatch(/^TEMP /);
    expect(await ask.line(key, bench)).toMatch(/^451 /);
  });

  it("is accepted in every way where the domain observes", async () => {
    const bench = new Bench(({ recipient }) => answerOf(recipient, "malformed", { mode: "observe" }));
    expect(await ask.recipients(key, bench)).toBe("OK deliverable");
    expect(await ask.access(key, bench)).toBe("OK DUNNO");
    expect(await ask.line(key, bench)).toMatch(/^250 2\.1\.5 <.*>: \S.*\n$/);
  });
});

describe.each([
  ["a domain that is not served", "alice@example.org"],
  ["a domain below one that is served", "alice@sub.example.com"],
  ["an address literal", "alice@[127.0.0.1]"],
  ["an address literal of IPv6", "alice@[IPv6:::1]"],
])("a mailbox at %s", (_, key) => {
  it("is TEMP to the MTA that believes it serves it, and 550 5.7.1", async () => {
    expect(await ask.recipients(key)).toMatch(/^TEMP 550 5\.7\.1 /);
    expect(await ask.access(key)).toMatch(/^OK 550 5\.7\.1 <.+>: \S/);
    expect(await ask.policy(key)).toMatch(/^action=550 5\.7\.1 <.+>: \S.*\n\n$/);
    expect(await ask.line(key)).toMatch(/^550 5\.7\.1 <.+>: \S.*\n$/);
  });
});

describe("the map of domains", () => {
  it.each([
    "example.com",
    "Example.COM",
    "example.com.",
    "bücher.example",
    "BÜCHER.example",
    "xn--bcher-kva.example",
  ])("has %s", async (key) => {
    expect(await ask.domains(key)).toBe("OK served");
  });

  it.each(["example.org", "sub.example.com", "com", "alice", "postmaster"])(
    "does not have %s",
    async (key) => {
      expect(await ask.domains(key)).toBe("NOTFOUND ");
    },
  );

  it.each([
    "*",
    ".example.com",
    "@example.com",
    "alice@example.com",
    "[127.0.0.1]",
    " example.com",
    "a b",
    "-",
    "\u0000",
  ])("does not have %j", async (key) => {
    expect(await ask.domains(key)).toBe("NOTFOUND ");
  });
});
