import { describe, expect, it } from "vitest";
import { fingerprint, highOf, shardOf, tailOf } from "../../src/directory/address/fingerprint.ts";
import { toHex, utf8 } from "../../src/directory/bytes.ts";
import { bytesOf, KEY } from "./helpers.ts";

describe("a fingerprint", () => {
  it.each([1, 127, 128, 129, 400])("of %i ASCII characters is the MAC of the name", (length) => {
    const name = "abc".repeat(length).slice(0, length);
    expect(toHex(fingerprint(KEY.names, name))).toBe(toHex(KEY.names(utf8(name))));
  });

  it.each(["jörg", "用户", "öäü", "a\u007f", "\u0080", `${"a".repeat(127)}é`])(
    "of %j is the MAC of its UTF-8",
    (name) => {
      expect(toHex(fingerprint(KEY.names, name))).toBe(toHex(KEY.names(utf8(name))));
    },
  );

  it("is read from its bytes, at any offset", () => {
    const bytes = bytesOf("ffff 89abcdef 01 23456789 ab");
    expect([shardOf(bytes, 8, 2), shardOf(bytes, 1, 2), shardOf(bytes, 0, 2)]).toEqual([0x89, 1, 0]);
    expect(highOf(bytes, 2)).toBe(0x23456789);
    expect(tailOf(bytes, 2)).toBe(0x0123456789ab);
  });
});
