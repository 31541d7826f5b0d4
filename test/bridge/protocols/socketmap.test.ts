import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_QUESTION, SocketmapParser, socketmap } from "../../../src/bridge/protocols/socketmap.ts";
import { bytesOf, expectSameInAnyPieces, faults, join, PIECES, parse, questions } from "../support/pieces.ts";

const netstring = (text: string): string => `${bytesOf(text).length}:${text},`;

describe.each(PIECES)("a socketmap parser given %d bytes at a time", (size) => {
  it("reads a question", () => {
    expect(parse(new SocketmapParser(), bytesOf("28:recipients alice@example.com,"), size)).toEqual([
      { kind: "question", question: { map: "recipients", key: "alice@example.com" } },
    ]);
  });

  it("reads pipelined questions in their order", () => {
    const keys = Array.from({ length: 300 }, (_, i) => `user${i}@example.com`);
    const bytes = bytesOf(keys.map((key) => netstring(`access ${key}`)).join(""));
    expect(questions(parse(new SocketmapParser(), bytes, size)).map(({ key }) => key)).toEqual(keys);
  });

  it("splits map and key at the first space only", () => {
    const bytes = bytesOf(netstring("recipients  john doe@example.com "));
    expect(questions(parse(new SocketmapParser(), bytes, size))).toEqual([
      { map: "recipients", key: " john doe@example.com " },
    ]);
  });

  it("reads characters of several bytes, split anywhere", () => {
    const bytes = bytesOf(netstring("recipients jörg@bücher.example"));
    expect(questions(parse(new SocketmapParser(), bytes, size))[0]?.key).toBe("jörg@bücher.example");
  });

  it("turns invalid UTF-8 into U+FFFD, and keeps NUL", () => {
    const text = join("24:recipients a", new Uint8Array([0xff, 0xc3, 0x00]), "@b.example,");
    expect(questions(parse(new SocketmapParser(), text, size))).toEqual([]);
    const counted = join("25:recipients a", new Uint8Array([0xff, 0xc3, 0x00]), "@b.example,");
    expect(questions(parse(new SocketmapParser(), counted, size))[0]?.key).toBe(
      "a\ufffd\ufffd\u0000@b.example",
    );
  });

  it("reads the empty netstring as a question without a map", () => {
    expect(questions(parse(new SocketmapParser(), bytesOf("0:,0:,"), size))).toEqual([
      { map: "", key: "" },
      { map: "", key: "" },
    ]);
  });

  it.each([
    ["words", "recipients alice@example.com\n"],
    ["a line end behind a question", `${netstring("domains example.com")}\n`],
    ["another terminator", "28:recipients alice@example.com;"],
    ["a length that is too short", "27:recipients alice@example.com,"],
    ["a length of zero digits", ":recipients alice@example.com,"],
    ["a zero in front", "028:recipients alice@example.com,"],
    ["a sign", "-1:,"],
    ["a space before the colon", "28 :recipients alice@example.com,"],
    ["a length beyond all numbers", "99999999999999999999999999"],
    ["HTTP", "GET / HTTP/1.1\r\n\r\n"],
    ["TLS", "\u0016\u0003\u0001"],
    ["NUL", "\u0000"],
  ])("gives up at %s, once, and reads nothing after it", (_, text) => {
    const parser = new SocketmapParser();
    const found = parse(parser, bytesOf(text + netstring("domains example.com")), size);
    expect(faults(found)).toHaveLength(1);
    expect(found.at(-1)?.kind).toBe("fault");
    expect(parser.isHalfWay).toBe(false);
  });

  it("reads the longest question, and refuses a longer one before it has arrived", () => {
    const longest = `x ${"y".repeat(MAX_QUESTION - 2)}`;
    expect(questions(parse(new SocketmapParser(), bytesOf(netstring(longest)), size))).toHaveLength(1);
    const parser = new SocketmapParser();
    expect(faults(parse(parser, bytesOf(`${MAX_QUESTION + 1}:`), size))).toHaveLength(1);
  });

  it("waits for the rest of a question", () => {
    const parser = new SocketmapParser();
    expect(parse(parser, bytesOf("28:recipients alice@example.com"), size)).toEqual([]);
    expect(parser.isHalfWay).toBe(true);
    expect(parse(parser, bytesOf(","), size)).toHaveLength(1);
    expect(parser.isHalfWay).toBe(false);
  });
});

describe("a socketmap parser", () => {
  const question = fc.record({
    map: fc.constantFrom("recipients", "domains", "access", "", "other"),
    key: fc.string({ unit: "binary", maxLength: 60 }).map((text) => new TextDecoder().decode(bytesOf(text))),
  });

  it("reads every sequence of questions the same, however it is split", () => {
    fc.assert(
      fc.property(
        fc.array(question, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (asked, cuts) => {
          const bytes = bytesOf(asked.map(({ map, key }) => netstring(`${map} ${key}`)).join(""));
          const parser = new SocketmapParser();
          const found = [];
          for (let at = 0; at < bytes.length; ) {
            const step = cuts.next().value as number;
            parser.feed(bytes.slice(at, at + step));
            at += step;
            for (let one = parser.next(); one !== null; one = parser.next()) found.push(one);
          }
          expect(questions(found)).toEqual(asked);
          expect(parser.isHalfWay).toBe(false);
        },
      ),
    );
  });

  it("never throws, and gives the same result for any bytes, however they are split", () => {
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      // Nearly right: one byte of a good question is changed.
      fc.tuple(question, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([{ map, key }, at, byte]) => {
        const bytes = bytesOf(netstring(`${map} ${key}`));
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    expectSameInAnyPieces(
      () => new SocketmapParser(),
      rubbish,
      (whole) => {
        expect(faults(whole).length).toBeLessThanOrEqual(1);
      },
    );
  });
});

describe("the socketmap protocol", () => {
  it.each([
    ["an unknown map", { map: "aliases", key: "alice@example.com" }],
    ["a map named like a method", { map: "constructor", key: "alice@example.com" }],
    ["no map", { map: "", key: "" }],
    ["an empty key", { map: "recipients", key: "" }],
    ["an empty key of domains", { map: "domains", key: "" }],
  ])("answers TEMP to %s", (_, question) => {
    expect(socketmap.exchange(question)).toMatchObject({
      kind: "reply",
      verdict: "invalid",
      reply: expect.stringMatching(/^\d+:TEMP \S.*,$/),
    });
  });

  it("answers TEMP to malformed bytes, never PERM", () => {
    expect(socketmap.fault("why")).toBe("18:TEMP 451 4.3.0 why,");
  });
});
