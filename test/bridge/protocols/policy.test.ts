import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_QUESTION, PolicyParser, policy } from "../../../src/bridge/protocols/policy.ts";
import { bytesOf, expectSameInAnyPieces, faults, join, PIECES, parse, questions } from "../support/pieces.ts";

/** What Postfix 3.10 sends at RCPT. */
const FROM_POSTFIX = `request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=127.0.0.1
client_name=localhost
helo_name=client.example
sender=bob@example.org
recipient=alice@example.com
recipient_count=0
queue_id=
instance=1234.5678.0
size=0
etrn_domain=
sasl_method=
policy_context=

`;

const question = (recipient: string): string => `request=smtpd_access_policy\nrecipient=${recipient}\n\n`;

describe.each(PIECES)("a policy parser given %d bytes at a time", (size) => {
  it("reads Postfix's question, and keeps what matters of it", () => {
    expect(questions(parse(new PolicyParser(), bytesOf(FROM_POSTFIX), size))).toEqual([
      new Map([
        ["request", "smtpd_access_policy"],
        ["protocol_state", "RCPT"],
        ["recipient", "alice@example.com"],
      ]),
    ]);
  });

  it("reads pipelined questions in their order", () => {
    const asked = Array.from({ length: 200 }, (_, i) => `user${i}@example.com`);
    const found = questions(parse(new PolicyParser(), bytesOf(asked.map(question).join("")), size));
    expect(found.map((each) => each.get("recipient"))).toEqual(asked);
  });

  it("reads lines that end in CR LF", () => {
    const found = questions(parse(new PolicyParser(), bytesOf(FROM_POSTFIX.replaceAll("\n", "\r\n")), size));
    expect(found.map((each) => each.get("recipient"))).toEqual(["alice@example.com"]);
  });

  it("leaves equals signs and spaces in a value", () => {
    const [found] = questions(parse(new PolicyParser(), bytesOf(question(" a=b c@example.com ")), size));
    expect(found?.get("recipient")).toBe(" a=b c@example.com ");
  });

  it("makes U+FFFD of damaged UTF-8, and keeps NUL", () => {
    const bytes = join("recipient=a", new Uint8Array([0xe2, 0x82, 0x00]), "@b.example\n\n");
    expect(questions(parse(new PolicyParser(), bytes, size))[0]?.get("recipient")).toBe(
      "a\ufffd\u0000@b.example",
    );
  });

  it("reads an empty question", () => {
    expect(questions(parse(new PolicyParser(), bytesOf("\n\n"), size))).toEqual([new Map(), new Map()]);
  });

  it.each([
    ["a line without an equals sign", "request\n"],
    ["a line without a name", "=smtpd_access_policy\n"],
    ["a netstring", "28:recipients alice@example.com,\n"],
    ["a recipient twice", "recipient=alice@example.com\nrecipient=bob@example.com\n"],
  ])("gives up at %s, once, and reads nothing behind it", (_, text) => {
    const parser = new PolicyParser();
    const found = parse(parser, bytesOf(`${text}\n${question("alice@example.com")}`), size);
    expect(faults(found)).toHaveLength(1);
    expect(found).toHaveLength(1);
    expect(parser.isHalfWay).toBe(false);
  });

  it("bounds a line, and all lines of a question together", () => {
    const oneLine = bytesOf(`sender=${"x".repeat(MAX_QUESTION)}`);
    const manyLines = bytesOf("sender=bob@example.org\n".repeat(MAX_QUESTION / 16));
    for (const bytes of [oneLine, manyLines]) {
      expect(faults(parse(new PolicyParser(), bytes, size))).toHaveLength(1);
    }
    const many = bytesOf(`${"sender=bob@example.org\n".repeat(2_000)}\n`.repeat(3));
    expect(questions(parse(new PolicyParser(), many, size))).toHaveLength(3);
  });

  it("stops once if the first octet above the limit is the end of a line", () => {
    const parser = new PolicyParser();
    parser.feed(bytesOf(`sender=${"x".repeat(MAX_QUESTION - "sender=".length)}\n`));
    expect(parser.next()).toMatchObject({ kind: "fault" });
    expect(parser.next()).toBeNull();
  });

  it("waits for the empty line", () => {
    const parser = new PolicyParser();
    expect(parse(parser, bytesOf(FROM_POSTFIX.slice(0, -1)), size)).toEqual([]);
    expect(parser.isHalfWay).toBe(true);
    expect(parse(parser, bytesOf("\n"), size)).toHaveLength(1);
    expect(parser.isHalfWay).toBe(false);
  });
});

describe("a policy parser", () => {
  it("never throws, and says the same of any bytes, however they are cut", () => {
    const part = fc.oneof(
      fc.constantFrom(FROM_POSTFIX, "\n", "\r\n", "recipient=", "request=smtpd_access_policy\n", "="),
      fc.uint8Array({ maxLength: 60 }),
      fc.string({ unit: "binary", maxLength: 60 }),
    );
    expectSameInAnyPieces(
      () => new PolicyParser(),
      part,
      (whole) => {
        expect(faults(whole).length).toBeLessThanOrEqual(1);
      },
    );
  });
});

describe("the policy protocol", () => {
  const say = (...attributes: [string, string][]): unknown => policy.exchange(new Map(attributes));
  const REQUEST: [string, string] = ["request", "smtpd_access_policy"];

  it("asks about the recipient at RCPT, and wherever else there is one", () => {
    expect(say(REQUEST, ["protocol_state", "RCPT"], ["recipient", "alice@example.com"])).toMatchObject({
      kind: "ask",
      recipient: "alice@example.com",
    });
    expect(say(REQUEST, ["protocol_state", "DATA"], ["recipient", "alice@example.com"])).toMatchObject({
      kind: "ask",
    });
  });

  it.each(["CONNECT", "EHLO", "MAIL", "DATA", "END-OF-MESSAGE"])(
    "has no opinion at %s without a recipient",
    (state) => {
      expect(say(REQUEST, ["protocol_state", state], ["recipient", ""])).toEqual({
        kind: "reply",
        reply: "action=DUNNO\n\n",
        verdict: "no-recipient",
      });
    },
  );

  it.each<[string, [string, string][]]>([
    ["RCPT without a recipient", [REQUEST, ["protocol_state", "RCPT"], ["recipient", ""]]],
    ["a question without state and recipient", [REQUEST]],
    [
      "another request",
      [
        ["request", "junk"],
        ["recipient", "alice@example.com"],
      ],
    ],
    ["no request", [["recipient", "alice@example.com"]]],
    ["nothing at all", []],
  ])("defers %s", (_, attributes) => {
    expect(say(...attributes)).toMatchObject({
      kind: "reply",
      verdict: "invalid",
      reply: expect.stringMatching(/^action=451 4\.3\.0 \S.*\n\n$/),
    });
  });

  it("defers bytes that it cannot read, in a form that Postfix can", () => {
    expect(policy.fault("why")).toBe("action=451 4.3.0 why\n\n");
  });
});
