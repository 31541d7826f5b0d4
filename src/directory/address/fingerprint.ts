import { utf8 } from "../bytes.ts";
import type { Mac } from "../hashing.ts";

/*
 * A fingerprint is the first 10 bytes of HMAC-SHA-256(domain key, canonical local part):
 *
 *   bytes 0-3   prefix: its top bits choose the shard
 *   bytes 4-9   tail, 48 bits: all that a shard stores of each entry
 *               byte 4     bucket within the shard
 *               bytes 5-8  high column, big-endian
 *               byte 9     low column
 */
export const FINGERPRINT_BYTES = 10;
export const PREFIX_AT = 0;
export const BUCKET_AT = 4;
export const HIGH_AT = 5;
export const LOW_AT = 9;

/** At most 2^16 shards: 536 million mailboxes. */
export const MAX_SHARD_BITS = 16;

/** For ASCII names, which nearly all are: the array that an encoder allocates costs half as much as the MAC. */
const scratch = new Uint8Array(128);
/** Its first octets, by length. */
const heads = Array.from({ length: scratch.length + 1 }, (_, length) => scratch.subarray(0, length));

/** The digest that starts with the fingerprint of a canonical local part. */
export function fingerprint(mac: Mac, name: string): Uint8Array {
  if (name.length > scratch.length) return mac(utf8(name));
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    if (c > 0x7f) return mac(utf8(name));
    scratch[i] = c;
  }
  return mac(heads[name.length] as Uint8Array);
}

const u32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)) >>>
  0;

/** Number of the shard, of 2^bits, that holds the fingerprint at `at`. */
export const shardOf = (bytes: Uint8Array, bits: number, at = 0): number =>
  bits === 0 ? 0 : u32(bytes, at + PREFIX_AT) >>> (32 - bits);

/** High column of the fingerprint at `at`. */
export const highOf = (bytes: Uint8Array, at = 0): number => u32(bytes, at + HIGH_AT);

/**
 * The 48-bit tail as one number: bucket, high column, low column, so that numbers sort as entries do. Exact, since it
 * is below 2^53.
 */
export const tailOf = (bytes: Uint8Array, at = 0): number =>
  joinTail(bytes[at + BUCKET_AT] as number, highOf(bytes, at), bytes[at + LOW_AT] as number);

/** A tail from its columns. */
export const joinTail = (bucket: number, high: number, low: number): number =>
  bucket * 2 ** 40 + high * 256 + low;
