import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "../../src/directory/bytes.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { bytesOf, forAll } from "./helpers.ts";

describe("hashing with @stablelib", () => {
  it.each([
    // RFC 4231, test cases 1, 2 and 6.
    [
      "0b".repeat(20),
      toHex(utf8("Hi There")),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ],
    [
      toHex(utf8("Jefe")),
      toHex(utf8("what do ya want for nothing?")),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ],
    [
      "aa".repeat(131),
      toHex(utf8("Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ],
  ])("computes the HMAC of RFC 4231 under key %s", (key, message, expected) => {
    expect(toHex(stablelibHashing.hmac(bytesOf(key))(bytesOf(message)))).toBe(expected);
  });

  it.each([63, 64, 65])("agrees with Node under a key of %i bytes, beside the block of 64", (length) => {
    const key = new Uint8Array(length).fill(7);
    const expected = createHmac("sha256", key).update("message").digest("hex");
    expect(toHex(stablelibHashing.hmac(key)(utf8("message")))).toBe(expected);
  });

  it("agrees with Node for many messages under several prepared keys in turn", () => {
    forAll(
      [
        fc.array(fc.uint8Array({ maxLength: 100 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }),
      ],
      (keys, messages) => {
        const macs = keys.map((key) => stablelibHashing.hmac(key));
        const turn = <T>(all: readonly T[], i: number): T => all[i % all.length] as T;
        // All first, then compared: one answer must not be another's memory.
        const outputs = messages.map((message, i) => turn(macs, i)(message));
        messages.forEach((message, i) => {
          expect(toHex(outputs[i] as Uint8Array)).toBe(
            createHmac("sha256", turn(keys, i)).update(message).digest("hex"),
          );
          expect(toHex(stablelibHashing.sha256(message))).toBe(
            createHash("sha256").update(message).digest("hex"),
          );
        });
      },
    );
  });
});
