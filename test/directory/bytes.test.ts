import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromUtf8,
  isAscii,
  toBase64Url,
  toHex,
  utf8,
} from "../../src/directory/bytes.ts";
import { anyCharacters, anyText, faultOf, forAll, succeeds } from "./helpers.ts";

const anyBytes = (maxLength = 100) => fc.uint8Array({ maxLength });

describe("hexadecimal", () => {
  it("gives back any bytes", () => {
    forAll([anyBytes()], (bytes) => expect(fromHex(toHex(bytes))).toEqual(bytes));
  });

  it("agrees with an independent encoder", () => {
    forAll([anyBytes()], (bytes) => expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex")));
  });

  it.each(["0", "0G", "AB", "ab ", " ab", "ab\n", "0x00", "é0"])("refuses %j", (text) => {
    expect(faultOf(() => fromHex(text))).toBe("invalid");
  });
});

describe("base64url", () => {
  it("gives back any bytes", () => {
    forAll([anyBytes()], (bytes) => expect(fromBase64Url(toBase64Url(bytes))).toEqual(bytes));
  });

  it("agrees with an independent encoder, also past the size of one chunk", () => {
    for (const length of [0, 1, 2, 3, 0x7fff, 0x8000, 0x8001, 100_000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 255);
      expect(toBase64Url(bytes)).toBe(Buffer.from(bytes).toString("base64url"));
      expect(equalBytes(fromBase64Url(toBase64Url(bytes)), bytes)).toBe(true);
    }
  });

  it.each(["A", "AAAAA", "AA==", "A+AA", "A/AA", "AA A", "AAA\n", "ÀAAA"])("refuses %j", (text) => {
    expect(faultOf(() => fromBase64Url(text))).toBe("invalid");
  });

  it("accepts only one spelling of the same bytes", () => {
    // "AA" and "AB" name the same byte but for bits that no byte takes.
    expect(fromBase64Url("AA")).toEqual(Uint8Array.of(0));
    expect(faultOf(() => fromBase64Url("AB"))).toBe("invalid");
    expect(faultOf(() => fromBase64Url("AAAAAAB"))).toBe("invalid");
    const spelling = fc.stringMatching(/^[A-Za-z0-9_-]{0,12}$/);
    forAll([spelling], (text) => {
      if (succeeds(() => fromBase64Url(text))) expect(toBase64Url(fromBase64Url(text))).toBe(text);
    });
  });

  it("throws only its own error, for any text", () => {
    forAll([anyText()], (text) => succeeds(() => fromBase64Url(text)));
  });
});

describe("UTF-8", () => {
  it("gives back any well-formed text", () => {
    forAll([anyCharacters()], (text) => expect(fromUtf8(utf8(text))).toBe(text));
  });

  it("keeps a byte order mark", () => {
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\ufeffa");
  });

  it.each([[[0xff]], [[0xc3]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xf4, 0x90, 0x80, 0x80]]])(
    "refuses the bytes %j, which are not UTF-8",
    (bytes) => {
      expect(() => fromUtf8(Uint8Array.from(bytes))).toThrow(TypeError);
    },
  );
});

describe("ASCII", () => {
  it("is text of nothing else", () => {
    for (const text of ["", "a", "abc", "\0", "\u007f"]) expect(isAscii(text)).toBe(true);
    for (const text of ["é", "aé", "éa", "aéa", "\u0080", "\ud800"]) expect(isAscii(text)).toBe(false);
  });
});

describe("byte strings", () => {
  it("are joined in order", () => {
    forAll([fc.array(anyBytes(20), { maxLength: 8 })], (parts) => {
      expect([...concatBytes(parts)]).toEqual(parts.flatMap((part) => [...part]));
    });
  });

  it("are equal only if the length and every byte are equal", () => {
    forAll([anyBytes(12), anyBytes(12)], (a, b) => {
      expect(equalBytes(a, b)).toBe(toHex(a) === toHex(b));
      expect(equalBytes(a, Uint8Array.from(a))).toBe(true);
    });
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false);
  });
});
