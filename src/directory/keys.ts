import { concatBytes, fromBase64Url, toHex, utf8 } from "./bytes.ts";
import { DirectoryError } from "./errors.ts";
import type { Hashing, Mac } from "./hashing.ts";

/** Length in octets of the master key and of each key derived from it. */
export const KEY_BYTES = 32;

/** A domain's key at one epoch, prepared for use. */
export interface DomainKey {
  readonly domain: string;
  /** Rises with each rotation; the first is 1. */
  readonly epoch: number;
  /** Identifies the key without revealing it (law 5): derived from it, 16 hexadecimal digits. */
  readonly id: string;
  /** The key itself, for a publisher. */
  readonly secret: Uint8Array;
  /** HMAC for fingerprints of local parts. */
  readonly names: Mac;
  /** HMAC for the MAC of the manifest. */
  readonly manifest: Mac;
}

/** 32 bytes in either alphabet of base64, padded or not: `openssl rand -base64 32` writes the other one. */
function fromBase64(text: string): Uint8Array {
  return fromBase64Url(text.replace(/=$/, "").replaceAll("+", "-").replaceAll("/", "_"));
}

/**
 * Reads the master key from the text of a secret: 32 bytes in base64.
 * @throws DirectoryError `invalid`; the message does not repeat the text
 */
export function readMasterKey(text: string): Uint8Array {
  let key: Uint8Array;
  try {
    key = fromBase64(text.trim());
  } catch {
    throw new DirectoryError("invalid", "the master key is not base64");
  }
  if (key.length !== KEY_BYTES) {
    throw new DirectoryError("invalid", `the master key has ${key.length} bytes instead of ${KEY_BYTES}`);
  }
  return key;
}

/** Derives a key for one purpose. Zero octets separate the purpose and its parts. */
const derive = (hashing: Hashing, key: Uint8Array, purpose: string, ...parts: string[]): Uint8Array =>
  hashing.hmac(key)(utf8(["rollcall", purpose, ...parts].join("\0")));

/** Derives a domain's key from the master key, so that a publisher of one domain holds that domain's key only. */
export function deriveDomainKey(
  hashing: Hashing,
  master: Uint8Array,
  domain: string,
  epoch: number,
): DomainKey {
  return domainKey(hashing, derive(hashing, master, "domain key", domain, String(epoch)), domain, epoch);
}

/** A domain key from its secret, as a publisher receives it. */
export function domainKey(hashing: Hashing, secret: Uint8Array, domain: string, epoch: number): DomainKey {
  return {
    domain,
    epoch,
    id: toHex(derive(hashing, secret, "key id").subarray(0, 8)),
    secret,
    names: hashing.hmac(derive(hashing, secret, "names")),
    manifest: hashing.hmac(derive(hashing, secret, "manifest")),
  };
}

/** HMAC for tokens. */
export const tokenMac = (hashing: Hashing, master: Uint8Array): Mac =>
  hashing.hmac(derive(hashing, master, "tokens"));

/** Identifies the key of {@link tokenMac} without revealing it. A token's record says which key made the token. */
export const tokenKeyId = (hashing: Hashing, master: Uint8Array): string =>
  toHex(derive(hashing, master, "token key id").subarray(0, 8));

/** HMAC for rosters. */
export const rosterMac = (hashing: Hashing, master: Uint8Array): Mac =>
  hashing.hmac(derive(hashing, master, "roster"));

/** The partition of `domain` among `partitions`. By hash, so that no table is needed. */
export function partitionOf(hashing: Hashing, domain: string, partitions: number): number {
  if (partitions === 1) return 0;
  const digest = hashing.sha256(concatBytes([utf8("partition\0"), utf8(domain)]));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0) % partitions;
}
