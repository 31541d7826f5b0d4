import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/directory/bytes.ts";
import { encodeRoster, openRoster, type Roster } from "../../src/directory/formats/roster.ts";
import { rosterMac } from "../../src/directory/keys.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { faultOf, forAll, MASTER, NOW } from "./helpers.ts";

const mac = rosterMac(stablelibHashing, MASTER);

const ROSTER: Roster = {
  partition: "0",
  partitions: 1,
  incarnation: 1_767_225_600_000,
  asOf: 12,
  heartbeat: NOW,
  heads: { "example.com": 12, "xn--bcher-kva.example": 7 },
  revoked: ["token-1"],
};

const text = encodeRoster(ROSTER, mac);

/** A roster as someone with the key would write it who does not keep to the type. */
function signed(json: string): string {
  const digest = Buffer.from(mac(utf8(json))).toString("base64url");
  return `${digest}\n${json}`;
}

describe("a roster", () => {
  it("decodes to what was encoded", () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,10}$/);
    const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
    const roster = fc.record({
      partition: fc.constantFrom("0", "1", "63"),
      partitions: fc.integer({ min: 1, max: 64 }),
      incarnation: fc.maxSafeNat(),
      asOf: fc.maxSafeNat(),
      heartbeat: fc.maxSafeNat(),
      heads: fc.dictionary(domain, fc.maxSafeNat(), { noNullPrototype: true }),
      revoked: fc.array(fc.string()),
    });
    forAll([roster], (it) => expect(openRoster(encodeRoster(it, mac), it.partition, mac)).toEqual(it));
  });

  it("keeps domains named like members of Object", () => {
    const heads: Record<string, number> = JSON.parse('{"__proto__": 4, "constructor": 5, "toString": 6}');
    const read = openRoster(encodeRoster({ ...ROSTER, heads }, mac), "0", mac);
    expect(Object.entries(read.heads)).toEqual([
      ["__proto__", 4],
      ["constructor", 5],
      ["toString", 6],
    ]);
  });

  it("is text, so that KV can read it in bulk", () => {
    expect(text).toMatch(/^[A-Za-z0-9_-]{43}\n\{/);
  });
});

describe("a damaged roster", () => {
  it("is recognised if truncated anywhere, and if bytes follow", () => {
    for (let length = 0; length < text.length; length++) {
      expect(faultOf(() => openRoster(text.slice(0, length), "0", mac))).toBe("damaged");
    }
    expect(faultOf(() => openRoster(`${text}\n`, "0", mac))).toBe("damaged");
    expect(faultOf(() => openRoster(`\n${text}`, "0", mac))).toBe("damaged");
  });

  it("is recognised by any flipped bit", () => {
    const bytes = utf8(text);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const altered = Uint8Array.from(bytes);
      altered[bit >>> 3] = (altered[bit >>> 3] as number) ^ (1 << (bit & 7));
      // KV's text is UTF-8 read as it may be, with a replacement character for what is none.
      expect(faultOf(() => openRoster(new TextDecoder().decode(altered), "0", mac))).toBe("damaged");
    }
  });

  it("is recognised by its partition: one partition's roster decides nothing for another", () => {
    expect(faultOf(() => openRoster(text, "1", mac))).toBe("damaged");
    expect(faultOf(() => openRoster(text, "1", mac))).toBe("damaged");
  });

  it("is recognised with another master key", () => {
    const other = rosterMac(stablelibHashing, utf8("another master key, of 32 bytes!"));
    expect(faultOf(() => openRoster(text, "0", other))).toBe("damaged");
  });

  it("is recognised by a future format, even with a valid MAC", () => {
    expect(openRoster(signed(JSON.stringify({ format: 1, ...ROSTER })), "0", mac)).toEqual(ROSTER);
    expect(faultOf(() => openRoster(signed(JSON.stringify({ ...ROSTER, format: 2 })), "0", mac))).toBe(
      "damaged",
    );
    expect(faultOf(() => openRoster(signed(JSON.stringify(ROSTER)), "0", mac))).toBe("damaged");
  });

  it.each(["", "\n", "{}", "\n{}", "not base64!\n{}", "AAAA\n{}", "\ud800"])(
    "is recognised in %j",
    (garbage) => {
      expect(faultOf(() => openRoster(garbage, "0", mac))).toBe("damaged");
    },
  );
});
