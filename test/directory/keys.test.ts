import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toBase64Url, toHex, utf8 } from "../../src/directory/bytes.ts";
import {
  deriveDomainKey,
  domainKey,
  KEY_BYTES,
  partitionOf,
  readMasterKey,
  rosterMac,
  tokenKeyId,
  tokenMac,
} from "../../src/directory/keys.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { faultOf, forAll, keyFor, MASTER } from "./helpers.ts";

const MESSAGE = utf8("message");

describe("a master key", () => {
  it("is read from 32 bytes in base64url, with or without surrounding white space", () => {
    expect(readMasterKey(toBase64Url(MASTER))).toEqual(MASTER);
    expect(readMasterKey(` ${toBase64Url(MASTER)}\n`)).toEqual(MASTER);
  });

  it("is read from either spelling of base64, as `openssl rand -base64 32` writes it too", () => {
    forAll([fc.uint8Array({ minLength: 32, maxLength: 32 })], (key) => {
      const text = Buffer.from(key).toString("base64");
      for (const spelling of [text, text.replace("=", ""), toBase64Url(key), `${toBase64Url(key)}=`])
        expect(readMasterKey(spelling)).toEqual(key);
    });
  });

  it.each([
    "",
    "secret",
    toBase64Url(MASTER.subarray(1)),
    toBase64Url(Uint8Array.of(...MASTER, 0)),
    `${toBase64Url(MASTER)}==`,
    `=${toBase64Url(MASTER)}`,
    `${toBase64Url(MASTER).slice(0, -1)}=B`,
    "not base64url, but a passphrase!",
  ])("is not read from %j, which the error does not repeat", (text) => {
    expect(faultOf(() => readMasterKey(text))).toBe("invalid");
    try {
      readMasterKey(text);
    } catch (error) {
      if (text !== "") expect(String(error)).not.toContain(text);
    }
  });
});

describe("a domain's key", () => {
  it("is the same if derived, and if built from its secret by a publisher", () => {
    const derived = keyFor("example.com", 3);
    const handed = domainKey(stablelibHashing, derived.secret, "example.com", 3);
    expect(handed.id).toBe(derived.id);
    expect(handed.names(MESSAGE)).toEqual(derived.names(MESSAGE));
    expect(handed.manifest(MESSAGE)).toEqual(derived.manifest(MESSAGE));
    expect(derived).toMatchObject({ domain: "example.com", epoch: 3 });
    expect(derived.secret).toHaveLength(KEY_BYTES);
    expect(derived.id).toMatch(/^[0-9a-f]{16}$/);
  });

  it("differs for another domain, another epoch and another master key", () => {
    const keys = [
      keyFor("example.com", 1),
      keyFor("example.com", 2),
      keyFor("example.com", 11),
      keyFor("example.org", 1),
      keyFor("example.com1", 1),
      deriveDomainKey(stablelibHashing, utf8("another master key, of 32 bytes!"), "example.com", 1),
    ];
    for (const part of [
      keys.map((key) => key.id),
      keys.map((key) => toHex(key.secret)),
      keys.map((key) => toHex(key.names(MESSAGE))),
      keys.map((key) => toHex(key.manifest(MESSAGE))),
    ]) {
      expect(new Set(part).size).toBe(keys.length);
    }
  });

  it("has separate keys for its purposes, which also differ from the master key's", () => {
    const key = keyFor();
    const macs = [
      key.names,
      key.manifest,
      tokenMac(stablelibHashing, MASTER),
      rosterMac(stablelibHashing, MASTER),
    ];
    const outputs = [
      ...macs.map((mac) => toHex(mac(MESSAGE))),
      toHex(stablelibHashing.hmac(MASTER)(MESSAGE)),
    ];
    expect(new Set(outputs).size).toBe(outputs.length);
  });

  it("is pinned for every purpose", () => {
    const { manifest } = keyFor();
    const macs = [manifest, tokenMac(stablelibHashing, MASTER), rosterMac(stablelibHashing, MASTER)];
    expect([
      ...macs.map((mac) => toHex(mac(MESSAGE)).slice(0, 16)),
      tokenKeyId(stablelibHashing, MASTER),
    ]).toMatchInlineSnapshot(`
      [
        "ef776f973d6c2e59",
        "9f430f53e38dfe97",
        "c3a0428442749c1f",
        "07fe06cf066b43d8",
      ]
    `);
  });

  it("is pinned: another derivation would turn every published list into a fault", () => {
    const key = keyFor();
    expect([key.id, toHex(key.names(utf8("alice")))]).toMatchInlineSnapshot(`
      [
        "e2c365761625ca2d",
        "2d0afaabf818f35c5804e33365a8e30924f846ba064fe472ec70fefbd3a50f22",
      ]
    `);
  });
});

describe("a domain's partition", () => {
  it("is within range, always the same, and 0 if there is only one", () => {
    forAll([fc.domain(), fc.integer({ min: 1, max: 64 })], (domain, partitions) => {
      const partition = partitionOf(stablelibHashing, domain, partitions);
      expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      expect(partitionOf(stablelibHashing, domain, partitions)).toBe(partition);
      expect(partitionOf(stablelibHashing, domain, 1)).toBe(0);
    });
  });

  it("is pinned: another one would lose every domain", () => {
    const partitions = ["example.com", "example.org", "xn--bcher-kva.example"].map((domain) =>
      partitionOf(stablelibHashing, domain, 1_000),
    );
    expect(partitions).toMatchInlineSnapshot(`
      [
        93,
        450,
        122,
      ]
    `);
  });

  it("spreads domains evenly", () => {
    const counts = new Array<number>(8).fill(0);
    for (let i = 0; i < 8_000; i++) {
      const partition = partitionOf(stablelibHashing, `domain${i}.example`, 8);
      counts[partition] = (counts[partition] as number) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});
