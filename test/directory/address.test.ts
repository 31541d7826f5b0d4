import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  domainOf,
  MAX_ADDRESS,
  parseRecipient,
  quoteLocalPart,
} from "../../src/directory/address/address.ts";
import { fromUtf8, utf8 } from "../../src/directory/bytes.ts";
import { anyText, forAll, letters } from "./helpers.ts";

/** The mailbox that `text` is read as; anything else fails the test. */
function mailbox(text: string) {
  const recipient = parseRecipient(text);
  return recipient.kind === "mailbox"
    ? recipient
    : expect.fail(`${text.slice(0, 80)} was read as ${recipient.kind}`);
}

const ESCAPE = String.fromCharCode(0x1b);

describe("a mailbox", () => {
  it.each([
    // The forms that mail servers send.
    ["alice@example.com", "alice", "example.com"],
    ["<alice@example.com>", "alice", "example.com"],
    ["alice@EXAMPLE.Com", "alice", "example.com"],
    ["alice@example.com.", "alice", "example.com"],
    ["Alice.Smith@example.com", "Alice.Smith", "example.com"],
    ["!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com"],
    // RFC 5321 §4.1.2: quoting that is not needed means nothing, nor does a quoted pair.
    ['"john"@example.com', "john", "example.com"],
    ['"j\\o\\hn"@example.com', "john", "example.com"],
    ['"john smith"@example.com', "john smith", "example.com"],
    ['"john@home"@example.com', "john@home", "example.com"],
    ['"a\\"b\\\\c"@example.com', 'a"b\\c', "example.com"],
    ['" "@example.com', " ", "example.com"],
    ['""@example.com', "", "example.com"],
    ['"<>"@example.com', "<>", "example.com"],
    // RFC 5321 §4.1.1.3 and appendix C: source routes are read and left aside.
    ["@relay.example:alice@example.com", "alice", "example.com"],
    ["<@one.example,@two.example:alice@example.com>", "alice", "example.com"],
    ['<@one.example:"a@b:c"@example.com>', "a@b:c", "example.com"],
    // RFC 6531: UTF-8 in the local part, U-labels in the domain.
    ["jörg@bücher.example", "jörg", "xn--bcher-kva.example"],
    ["用户@例子.example", "用户", "xn--fsqu00a.example"],
    ["alice@XN--BCHER-KVA.example", "alice", "xn--bcher-kva.example"],
    ["𐐀@example.com", "𐐀", "example.com"],
    // Domains of one label, and with an underscore, are served in private.
    ["root@localhost", "root", "localhost"],
    ["alice@_dmarc.example.com", "alice", "_dmarc.example.com"],
    // Subaddresses and tags stay: the domain's policy decides.
    ["alice+news@example.com", "alice+news", "example.com"],
    ["+news@example.com", "+news", "example.com"],
    ["prvs=1234abcdef=alice@example.com", "prvs=1234abcdef=alice", "example.com"],
  ])("is read from %s", (text, local, domain) => {
    expect(mailbox(text)).toEqual({ kind: "mailbox", local, domain, wellFormed: true });
  });

  it.each([
    ["a@b@example.com", "a@b"],
    ["a b@example.com", "a b"],
    [" alice@example.com", " alice"],
    ["alice @example.com", "alice "],
    ["@example.com", ""],
    ["<@example.com>", ""],
    [".alice@example.com", ".alice"],
    ["alice.@example.com", "alice."],
    ["al..ice@example.com", "al..ice"],
    [".@example.com", "."],
    ['"@example.com', '"'],
    ['"alice@example.com', '"alice'],
    ['alice"@example.com', 'alice"'],
    ['"al"ice"@example.com', '"al"ice"'],
    ['"alice\\"@example.com', '"alice\\"'],
    ['"john".smith@example.com', '"john".smith'],
    ["john(comment)@example.com", "john(comment)"],
    ["<alice@example.com", "<alice"],
    ["<<alice@example.com>", "<alice"],
    ["alice,bob@example.com", "alice,bob"],
    ["alice:bob@example.com", "alice:bob"],
    ["[alice]@example.com", "[alice]"],
    ["@x@relay.example:alice@example.com", "@x@relay.example:alice"],
    ["alice\\@example.com", "alice\\"],
  ])("is still read from %s, which breaks RFC 5321, and is marked", (text, local) => {
    expect(mailbox(text)).toEqual({ kind: "mailbox", local, domain: "example.com", wellFormed: false });
  });

  it("is the same with any quoting", () => {
    const local = fc.oneof(letters(), fc.stringMatching(/^[ -~]{1,20}$/));
    forAll([local, fc.infiniteStream(fc.boolean())], (content, escapes) => {
      const escaped = [...content]
        .map((c) => (c === '"' || c === "\\" || escapes.next().value ? `\\${c}` : c))
        .join("");
      expect(mailbox(`"${escaped}"@example.com`).local).toBe(content);
      expect(mailbox(`${quoteLocalPart(content)}@example.com`)).toMatchObject({
        local: content,
        wellFormed: true,
      });
    });
  });

  it("is quoted only where necessary", () => {
    expect(quoteLocalPart("john.smith")).toBe("john.smith");
    expect(quoteLocalPart("jörg")).toBe("jörg");
    expect(quoteLocalPart("john smith")).toBe('"john smith"');
    expect(quoteLocalPart("john.")).toBe('"john."');
    expect(quoteLocalPart('a"b\\')).toBe('"a\\"b\\\\"');
    expect(quoteLocalPart("")).toBe('""');
  });

  it("may be longer than 64 octets, as with VERP and SRS", () => {
    const local = `bounce-${"0123456789".repeat(20)}=bob=example.org`;
    expect(mailbox(`${local}@example.com`)).toMatchObject({ local, wellFormed: true });
  });
});

describe("postmaster without a domain", () => {
  it.each(["postmaster", "Postmaster", "POSTMASTER", "pOsTmAsTeR", "<Postmaster>"])(
    "is read from %s",
    (text) => {
      expect(parseRecipient(text)).toEqual({ kind: "postmaster" });
    },
  );

  it.each([
    "postmaster ",
    " postmaster",
    "postmaster+x",
    "postmaste",
    "<postmaster",
    "poſtmaster",
    '"postmaster"',
  ])("is not read from %j", (text) => {
    expect(parseRecipient(text).kind).toBe("malformed");
  });
});

describe("an address literal", () => {
  it.each([
    "alice@[192.0.2.1]",
    "alice@[IPv6:2001:db8::1]",
    "alice@[IPv6:::ffff:192.0.2.1]",
    "<alice@[127.0.0.1]>",
    "postmaster@[192.0.2.1]",
    '"a@b"@[192.0.2.1]',
    "@[192.0.2.1]",
    "alice@[tag:whatever]",
    "alice@[]",
  ])("is a domain that is not served, never an error: %s", (text) => {
    expect(parseRecipient(text)).toEqual({ kind: "literal" });
  });

  it.each([
    "alice@[192.0.2.1",
    "alice@192.0.2.1]",
    "alice@[a b]",
    "alice@[[x]]",
    "alice@[x].",
    "alice@[\\x]",
  ])("is not %s", (text) => {
    expect(parseRecipient(text).kind).toBe("malformed");
  });

  it("is not a bare IPv4 address, which is an ordinary domain", () => {
    expect(mailbox("alice@192.0.2.1").domain).toBe("192.0.2.1");
    expect(mailbox("alice@1.2.3").domain).toBe("1.2.3");
  });
});

describe("an address that no list can hold", () => {
  const local: [string, string][] = [
    ["a NUL", "al\0ice"],
    ["a line feed", "al\nice"],
    ["a carriage return and line feed", "al\r\nice"],
    ["a tab", "al\tice"],
    ["an escape", `al${ESCAPE}ice`],
    ["a DEL", "al\x7fice"],
    ["a C1 control", "al\u0085ice"],
    ["the replacement character, which bytes that were no UTF-8 became", "al\ufffdice"],
    ["a high surrogate alone", "al\ud800ice"],
    ["a low surrogate alone", "al\udc00ice"],
    ["surrogates the wrong way round", "al\udc00\ud800ice"],
  ];

  it.each(local)("has a local part with %s, quoted or not", (_, text) => {
    const why = expect.stringMatching(/\w/);
    const read = { kind: "unlistable", local: expect.any(String), domain: "example.com", why };
    expect(parseRecipient(`${text}@example.com`)).toEqual(read);
    expect(parseRecipient(`"${text}"@EXAMPLE.com.`)).toEqual(read);
    expect(parseRecipient(`"\\${text}"@example.com`)).toEqual(read);
    expect(parseRecipient(`${text}@exam ple.com`).kind).toBe("malformed");
    expect(parseRecipient(`${text}@[192.0.2.1]`).kind).toBe("malformed");
    expect(parseRecipient(text).kind).toBe("malformed");
  });

  it.each([
    "",
    "<>",
    "<",
    ">",
    "alice",
    '"alice"',
    '"alice@example.com"',
    "alice@",
    "@",
    "@@",
    "alice@.",
    "alice@..",
    "alice@.example.com",
    "alice@example..com",
    "alice@example.com..",
    "alice@exam ple.com",
    "alice@example.com ",
    "alice@example.com\n",
    "alice@example.com\0",
    "alice@exämple.com\n",
    "alice@example.com/path",
    "alice@example.com:25",
    "alice@ex%61mple.com",
    "alice@exämple.com:25",
    "alice@exämple.com#x",
    "alice@example.com>",
    "alice@(comment)example.com",
    `alice@${"a".repeat(64)}.example`,
    `alice@${"a.".repeat(127)}aa`,
    "@relay.example:postmaster",
    "alice@\ud800.example",
  ])("is %j", (text) => {
    expect(parseRecipient(text)).toEqual({ kind: "malformed", why: expect.stringMatching(/\w/) });
  });

  it("has more than 30 combining marks in a row, with dots or without: sorting them takes quadratic time", () => {
    const marks = (count: number) => "\u0316\u0301".repeat(count / 2);
    const kindOf = (local: string) => parseRecipient(`${local}@example.org`).kind;
    expect([kindOf(`a${marks(30)}`), kindOf(`a${marks(30)}b${marks(30)}`)]).toEqual(["mailbox", "mailbox"]);
    expect(kindOf(`a${marks(32)}`)).toBe("unlistable");
    expect(kindOf(`a${marks(16)}.${marks(16)}`)).toBe("unlistable");
    expect(kindOf(`"a${marks(500)}"`)).toBe("unlistable");
  });

  it("is longer than an SMTP line may be", () => {
    const domain = "@example.com";
    const longest = "a".repeat(MAX_ADDRESS - domain.length);
    expect(mailbox(longest + domain).local).toBe(longest);
    expect(parseRecipient(`a${longest}${domain}`)).toMatchObject({
      kind: "unlistable",
      domain: "example.com",
      why: "longer than 2048 octets",
    });
    const accents = "é".repeat((MAX_ADDRESS - domain.length) / 2);
    expect(mailbox(accents + domain).local).toBe(accents);
    expect(parseRecipient(`a${accents}${domain}`).kind).toBe("unlistable");
  });

  it("is text of more than four times as many characters, which is not read at all", () => {
    const pairs = (count: number): string => `"${"\\a".repeat(count)}"@xexample.com`;
    const most = pairs((4 * MAX_ADDRESS - "''@xexample.com".length) / 2);
    expect(most.length).toBe(4 * MAX_ADDRESS - 1);
    expect(parseRecipient(`x${most}`)).toMatchObject({ kind: "unlistable", domain: "xexample.com" });
    expect(parseRecipient(`xx${most}`)).toEqual({ kind: "malformed", why: "longer than 2048 octets" });
  });

  it("is never one that a list can hold in another form", () => {
    const longest = "a".repeat(MAX_ADDRESS - "@example.com".length);
    const forms = [
      `<${longest}@example.com>`,
      `${longest}@EXAMPLE.com.`,
      `@relay.example:${longest}@example.com`,
      `"${longest}"@example.com`,
      `"${longest.replaceAll("a", "\\a")}"@example.com`,
    ];
    for (const form of forms) {
      expect(mailbox(form)).toMatchObject({ local: longest, domain: "example.com", wellFormed: true });
    }
    const accents = "é".repeat((MAX_ADDRESS - "@example.com".length) / 2);
    expect(mailbox(`${accents.normalize("NFD")}@example.com`).local.normalize("NFC")).toBe(accents);
  });
});

describe("the domain of a recipient", () => {
  it.each([
    ["alice@Bücher.example", "xn--bcher-kva.example"],
    ["al\u0000ice@example.com", "example.com"],
    ["alice@[192.0.2.1]", null],
    ["postmaster", null],
    ["alice", null],
  ])("of %j is %j", (text, domain) => {
    expect(domainOf(parseRecipient(text))).toBe(domain);
  });
});

describe("any text", () => {
  it("parses without an error, and the result can be listed", () => {
    forAll(
      [anyText()],
      (text) => {
        const recipient = parseRecipient(text);
        expect(["mailbox", "postmaster", "literal", "unlistable", "malformed"]).toContain(recipient.kind);
        if (recipient.kind !== "mailbox") return;
        expect(recipient.domain).toMatch(/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/);
        expect(fromUtf8(utf8(recipient.local))).toBe(recipient.local);
        expect(/\p{Cc}/u.test(recipient.local)).toBe(false);
      },
      { numRuns: 5_000 },
    );
  });

  it("stays the same recipient when it is formatted and parsed again", () => {
    const text = fc
      .tuple(anyText(20), fc.constantFrom("example.com", "Bücher.example.", "x.test"))
      .map((it) => it.join("@"));
    forAll(
      [text],
      (sent) => {
        const recipient = parseRecipient(sent);
        if (recipient.kind !== "mailbox") return;
        const { local, domain } = recipient;
        expect(mailbox(`${quoteLocalPart(local)}@${domain}`)).toMatchObject({ local, domain });
        expect(mailbox(`<${quoteLocalPart(local)}@${domain.toUpperCase()}.>`)).toMatchObject({
          local,
          domain,
        });
      },
      { numRuns: 2_000 },
    );
  });

  it("is split at its last @, so that it never reaches another domain's list", () => {
    forAll([letters(), letters()], (a, b) => {
      expect(mailbox(`${a}@victim.example@${b}@example.com`).domain).toBe("example.com");
      expect(mailbox(`"${a}@victim.example"@example.com`).domain).toBe("example.com");
    });
  });

  it("of great length is parsed in linear time", () => {
    for (const unit of ["a", "@a,", "@a:", '"', "\\", "a.", "<", "é", "\ud800", "a@"]) {
      const text = unit.repeat(200_000 / unit.length);
      expect(parseRecipient(text).kind).toBe("malformed");
      const within = unit.repeat(MAX_ADDRESS / unit.length - 10);
      expect(utf8(JSON.stringify(parseRecipient(`${within}@example.com`))).length).toBeLessThan(20_000);
    }
  });
});
