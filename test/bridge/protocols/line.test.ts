import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineParser, line, MAX_QUESTION } from "../../../src/bridge/protocols/line.ts";
import { bytesOf, expectSameInAnyPieces, faults, join, PIECES, parse, questions } from "../support/pieces.ts";

describe.each(PIECES)("a line parser given %d bytes at a time", (size) => {
  it.each(["\n", "\r\n"])("reads a line that ends in %j", (end) => {
    expect(questions(parse(new LineParser(), bytesOf(`alice@example.com${end}`), size))).toEqual([
      "alice@example.com",
    ]);
  });

  it("reads pipelined lines in their order", () => {
    const asked = Array.from({ length: 300 }, (_, i) => `user${i}@example.com`);
    expect(questions(parse(new LineParser(), bytesOf(`${asked.join("\n")}\n`), size))).toEqual(asked);
  });

  it("takes one CR off the end, and leaves spaces and other controls", () => {
    expect(questions(parse(new LineParser(), bytesOf(" a\rb@example.com \r\r\n"), size))).toEqual([
      " a\rb@example.com \r",
    ]);
  });

  it("reads an empty line", () => {
    expect(questions(parse(new LineParser(), bytesOf("\n\r\n"), size))).toEqual(["", ""]);
  });

  it("makes U+FFFD of damaged UTF-8, keeps NUL, and reads characters wherever they are cut", () => {
    const bytes = join("jörg", new Uint8Array([0xff, 0x00]), "@bücher.example\n");
    expect(questions(parse(new LineParser(), bytes, size))).toEqual(["jörg\ufffd\u0000@bücher.example"]);
  });

  it("does not accept half a line, nor another terminator", () => {
    const parser = new LineParser();
    expect(parse(parser, bytesOf("alice@example.com\r"), size)).toEqual([]);
    expect(parse(parser, bytesOf("\u0000\u2028;"), size)).toEqual([]);
    expect(parser.isHalfWay).toBe(true);
  });

  it("bounds a line, ended or not, once", () => {
    const longest = "x".repeat(MAX_QUESTION);
    expect(questions(parse(new LineParser(), bytesOf(`${longest}\n`), size))).toEqual([longest]);
    for (const bytes of [bytesOf(`${longest}xx\nalice@example.com\n`), bytesOf(longest.repeat(3))]) {
      const parser = new LineParser();
      const found = parse(parser, bytes, size);
      expect(faults(found)).toHaveLength(1);
      expect(found).toHaveLength(1);
      expect(parser.isHalfWay).toBe(false);
    }
  });
});

describe("a line parser", () => {
  it("never throws, and says the same of any bytes, however they are cut", () => {
    const part = fc.oneof(
      fc.constantFrom("alice@example.com\n", "\n", "\r"),
      fc.uint8Array({ maxLength: 60 }),
    );
    expectSameInAnyPieces(
      () => new LineParser(),
      part,
      (whole, bytes) => {
        expect(questions(whole)).toHaveLength(bytes.filter((byte) => byte === 0x0a).length);
      },
    );
  });
});

describe("the line protocol", () => {
  it("asks about the unchanged line", () => {
    expect(line.exchange(" alice@example.com")).toMatchObject({
      kind: "ask",
      recipient: " alice@example.com",
    });
  });

  it("defers an empty line, and bytes that it cannot read, with the line's end", () => {
    expect(line.exchange("")).toMatchObject({ kind: "reply", reply: "451 4.3.0 no recipient given\n" });
    expect(line.fault("why")).toBe("451 4.3.0 why\n");
  });
});
