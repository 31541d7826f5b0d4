import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_QUESTION } from "../../../src/bridge/protocols/line.ts";
import { decodeKey, encodeText, tcpTable } from "../../../src/bridge/protocols/tcp-table.ts";
import type { Verdict } from "../../../src/directory/index.ts";
import { answerOf } from "../support/answers.ts";
import { bytesOf, expectSameInAnyPieces, faults, parse, questions } from "../support/pieces.ts";

/** As Postfix's dict_tcp.c: `%`, whitespace and octets that cannot be printed, in upper case. */
const encodeAsPostfix = (key: string): string =>
  [...Buffer.from(key)]
    .map((octet) =>
      octet > 0x20 && octet < 0x7f && octet !== 0x25
        ? String.fromCharCode(octet)
        : `%${octet.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");

const asks = (request: string): string => {
  const exchange = tcpTable.exchange(request);
  return exchange.kind === "ask" ? exchange.recipient : exchange.reply;
};

const replyTo = (request: string, verdict: Verdict): string => {
  const exchange = tcpTable.exchange(request);
  if (exchange.kind !== "ask") throw new Error(`${request} asks nothing`);
  return exchange.reply(answerOf("alice@example.com", verdict));
};

describe("the tcp protocol", () => {
  it.each([
    ["get alice@example.com", "alice@example.com"],
    ['get "john%20doe"@example.com', '"john doe"@example.com'],
    ["get j%C3%B6rg@example.com", "jörg@example.com"],
    ["get j%c3%B6rg@example.com", "jörg@example.com"],
    ["get jörg@example.com", "jörg@example.com"],
    ["get per%25cent@example.com", "per%cent@example.com"],
    ["get @example.com", "@example.com"],
    // Octets that are no UTF-8: the resolver refuses U+FFFD without asking.
    ["get j%F6rg@example.com", "j\ufffdrg@example.com"],
    ["get postmaster", "postmaster"],
    // A key without an @ is a domain, whose postmaster says if it is served.
    ["get example.com", "postmaster@example.com"],
    ["get b%C3%BCcher.example", "postmaster@xn--bcher-kva.example"],
  ])("asks for %j about %s", (request, recipient) => {
    expect(asks(request)).toBe(recipient);
  });

  it.each(["get *", "get alice@", "get .example.com"])("does not find what %j names", (request) => {
    expect(asks(request)).toBe("500 not-found\n");
  });

  it.each([
    "",
    "get",
    "get ",
    "GET alice@example.com",
    "put alice@example.com x",
    "alice@example.com",
    " get a@b",
  ])("defers %j, which is no request", (request) => {
    expect(asks(request)).toMatch(/^400 451%204\.3\.0%20only%20/);
  });

  it.each(["get a%@example.com", "get a%4@example.com", "get %zz@example.com", "get alice@example.com%"])(
    "defers %j, whose encoding is broken",
    (request) => {
      expect(asks(request)).toMatch(/^400 451%204\.3\.0%20/);
    },
  );

  it("says yes, no or later, never a code alone", () => {
    const request = "get alice@example.com";
    expect(replyTo(request, "deliverable")).toBe("200 deliverable\n");
    for (const verdict of ["unknown", "disabled", "moved", "malformed"] as const) {
      expect(replyTo(request, verdict)).toBe("500 not-found\n");
    }
    for (const verdict of ["full", "departed", "throttled", "unavailable", "not-served"] as const) {
      expect(replyTo(request, verdict)).toMatch(/^400 [45]\d\d%20\d\.\d\.\d%20\S+\n$/);
    }
    expect(tcpTable.fault("why")).toBe("400 451%204.3.0%20why\n");
  });

  it("says of a domain whether it is served", () => {
    expect(replyTo("get example.com", "unknown")).toBe("200 served\n");
    expect(replyTo("get example.com", "not-served")).toBe("500 not-found\n");
    expect(replyTo("get example.com", "unavailable")).toMatch(/^400 451/);
  });

  it("replies in less than the 4096 characters that Postfix reads", () => {
    const exchange = tcpTable.exchange(`get ${"%20".repeat(2_000)}@example.com`);
    if (exchange.kind !== "ask") throw new Error("asks nothing");
    const reply = exchange.reply(answerOf(exchange.recipient, "full"));
    expect(reply.length).toBeLessThan(4_096);
  });
});

describe("the encoding of tcp_table(5)", () => {
  it("gives back every key that Postfix encodes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (key) => {
        expect(decodeKey(encodeAsPostfix(key))).toBe(key);
      }),
    );
  });

  it("leaves neither whitespace nor % nor 8-bit in the text of a reply, and loses nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const encoded = encodeText(text);
        expect(encoded).toMatch(/^(?:[!-$&-~]|%[0-9a-f]{2})*$/);
        expect(decodeKey(encoded)).toBe(text);
      }),
    );
  });

  it("never throws, and never takes broken text for a key", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("%", "4", "0", "f", "@", "z") }), (text) => {
        const isBroken = /%(?![0-9a-f]{2})/i.test(text);
        expect(decodeKey(text) === null).toBe(isBroken);
      }),
    );
  });

  it("reads the same requests from bytes in any pieces", () => {
    const part = fc.oneof(
      fc.constantFrom("get alice@example.com\n", "get j%C3%B6rg@example.com\n", "\n", "%"),
      fc.uint8Array({ maxLength: 40 }),
    );
    expectSameInAnyPieces(
      () => tcpTable.parser(),
      part,
      (found) => {
        for (const question of questions(found)) expect(() => tcpTable.exchange(question)).not.toThrow();
      },
    );
    const endless = parse(tcpTable.parser(), bytesOf(`get ${"x".repeat(MAX_QUESTION)}`), 4_096);
    expect(faults(endless)).toHaveLength(1);
  });
});
