import fc from "fast-check";
import { expect } from "vitest";
import {
  type BlobTable,
  canonicalLocalPart,
  DEFAULT_POLICY,
  type Departures,
  DirectoryError,
  type DirectoryFault,
  type DomainKey,
  type DomainPolicy,
  decodeShard,
  deriveDomainKey,
  type Entries,
  encodeManifest,
  encodeShard,
  fingerprint,
  fromHex,
  type Holdings,
  type ManifestContent,
  openManifest,
  type Shard,
  shardBitsFor,
  shardOf,
  tailOf,
  toHex,
  utf8,
} from "../../src/directory/index.ts";
import { stablelibHashing } from "../../src/directory/stablelib.ts";
import { Random } from "../../testing/random.ts";

export const MASTER = utf8("a master key of exactly 32 bytes");
export const DOMAIN = "example.com";
export const NOW = Date.UTC(2026, 0, 1);

const KEYS = new Map<string, DomainKey>();

/** The key of a domain at an epoch, derived from the master key. */
export function keyFor(domain = DOMAIN, epoch = 1): DomainKey {
  const name = `${domain} ${epoch}`;
  const key = KEYS.get(name) ?? deriveDomainKey(stablelibHashing, MASTER, domain, epoch);
  KEYS.set(name, key);
  return key;
}

export const KEY = keyFor();

export const policyWith = (settings: Partial<DomainPolicy> = {}): DomainPolicy => ({
  ...DEFAULT_POLICY,
  ...settings,
});

/** Random numbers with a pinned seed, for what is too much for fast-check. */
export function randomNumbers(seed: number): () => number {
  const random = new Random(seed);
  return () => random.integer();
}

/** States by canonical name. */
export type List = ReadonlyMap<string, number>;

/** A list packed as a publisher does it: one shard for each prefix, ids by SHA-256. */
export interface Packed {
  readonly bits: number;
  /** Bytes of each shard. */
  readonly shards: readonly Uint8Array[];
  readonly table: BlobTable;
}

/** Packs tails that are already split by shard, in any order. */
export function packShard(entries: ReadonlyMap<number, number>, bits: number, index = 0): Uint8Array {
  return encodeShard(entriesFrom(entries), bits, index);
}

export function entriesFrom(states: ReadonlyMap<number, number>): Entries {
  const tails = Float64Array.from(states.keys()).sort();
  return { tails, states: Uint8Array.from(tails, (tail) => states.get(tail) as number) };
}

export function packList(list: List, key = KEY, bits = shardBitsFor(list.size)): Packed {
  const split = Array.from({ length: 2 ** bits }, () => new Map<number, number>());
  for (const [name, state] of list) {
    const digest = fingerprint(key.names, name);
    (split[shardOf(digest, bits)] as Map<number, number>).set(tailOf(digest), state);
  }
  const shards = split.map((entries, index) => packShard(entries, bits, index));
  return { bits, shards, table: tableOf(shards, bits) };
}

/** The table of patterns written as `ticket-*` or `*-support`, by their states. */
export const patternTable = (patterns: List, key = KEY): Uint8Array =>
  packShard(
    new Map(
      [...patterns].map(([text, state]) => [
        tailOf(fingerprint(key.names, text.replace(/^\*|\*$/, "\0"))),
        state,
      ]),
    ),
    0,
  );

/** 2^bits shards that all hold the same tails, so that many names are made quickly. */
export function repeatedShards(count: number, bits: number): Uint8Array[] {
  const first = packShard(new Map(Array.from({ length: count }, (_, i) => [i, 0])), bits);
  return Array.from({ length: 2 ** bits }, (_, index) => {
    const bytes = Uint8Array.from(first);
    new DataView(bytes.buffer).setUint16(6, index, true);
    return bytes;
  });
}

/** The table that names blobs by their ids, or holds the only one. */
export function tableOf(blobs: readonly Uint8Array[], bits: number, inline = bits === 0): BlobTable {
  if (inline) return { bits, inline: blobs[0] as Uint8Array, ids: new Uint8Array(0) };
  const ids = new Uint8Array(32 * blobs.length);
  blobs.forEach((blob, i) => {
    ids.set(stablelibHashing.sha256(blob), 32 * i);
  });
  return { bits, inline: null, ids };
}

const NO_DEPARTURES = { bits: 0, inline: null, ids: new Uint8Array(32), count: 0 };

/** What a manifest of `packed` says, with some of it said otherwise. */
export function contentOf(packed: Packed, changes: Partial<ManifestContent> = {}): ManifestContent {
  const count = packed.shards.reduce((sum, bytes) => sum + decodeShard(bytes).count, 0);
  return {
    domain: DOMAIN,
    incarnation: 1_767_225_600_000,
    generation: 7,
    time: NOW,
    mode: "enforce",
    policy: DEFAULT_POLICY,
    counts: { active: count, disabled: 0, full: 0, moved: 0 },
    deletedUntil: null,
    refusesFrom: 0,
    shards: packed.table,
    departures: NO_DEPARTURES,
    patterns: null,
    ...changes,
  };
}

/** A list as its check sees it: the opened manifest, and all blobs at hand. */
export function published(
  list: List,
  settings: Partial<DomainPolicy> = {},
  changes: Partial<ManifestContent> = {},
  bits?: number,
) {
  const packed = packList(list, KEY, bits);
  const content = contentOf(packed, { policy: policyWith(settings), ...changes });
  const manifest = openManifest(encodeManifest(content, KEY), DOMAIN, keyFor);
  return { manifest, packed, holdings: holding(packed.shards.map(decodeShard)) };
}

export const holding = (shards: readonly Shard[] = [], departures: readonly Departures[] = []): Holdings => ({
  shard: (index) => shards[index],
  departures: (index) => departures[index],
});

/** A list of names in states, under the default policy. */
export function listOf(names: readonly string[], state = 0, settings: Partial<DomainPolicy> = {}): List {
  return new Map(names.map((name) => [canonicalLocalPart(name, policyWith(settings)), state]));
}

/** Runs a property over generated values; `check` expects, and what it returns does not count. */
export function forAll<Values extends [unknown, ...unknown[]]>(
  values: { [K in keyof Values]: fc.Arbitrary<Values[K]> },
  check: (...generated: Values) => unknown,
  parameters: fc.Parameters<Values> = {},
): void {
  const property = fc.property(...values, (...generated: Values) => {
    check(...generated);
  });
  fc.assert(property, parameters);
}

/** The fault of the DirectoryError that `run` throws; any other error, and none, fails the test. */
export function faultOf(run: () => unknown): DirectoryFault {
  try {
    run();
  } catch (error) {
    if (error instanceof DirectoryError) return error.fault;
    throw error;
  }
  return expect.fail("nothing was thrown");
}

/** Whether `run` went well; it may throw a DirectoryError and nothing else. */
export function succeeds(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof DirectoryError) return false;
    throw error;
  }
}

/** The content id of a blob. */
export const idOf = (bytes: Uint8Array): string => toHex(stablelibHashing.sha256(bytes));

/** Bytes with one bit turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7));
  return copy;
}

/** The same bytes at an offset that is not a multiple of four. */
export function unaligned(bytes: Uint8Array, offset = 1): Uint8Array {
  const wide = new Uint8Array(bytes.length + offset);
  wide.set(bytes, offset);
  return wide.subarray(offset);
}

/** Text of any UTF-16 code units, halves of surrogate pairs and controls included. */
export const anyText = (maxLength = 60): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(fc.nat(0x7f), fc.nat(0xffff), fc.constantFrom(0x22, 0x40, 0x2e, 0x3c, 0x3e, 0x5c, 0x2b)),
      {
        maxLength,
      },
    )
    .map((units) => String.fromCharCode(...units));

/** Text of any characters of Unicode: what has UTF-8. */
export const anyCharacters = (maxLength = 40): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.nat(0x7f), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff })), { maxLength })
    .map((codes) => String.fromCodePoint(...codes));

/** Text of letters of several scripts with marks and cases, as canonicalisers meet it. */
export const letters = (maxLength = 20): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ..."abzABZ09.+-_éÉßẞςσΣİıǅ\u0301\u0307\u0323\u0345\u212a\u212bﬁ한\u1112\u1161\u11ab𐐀𐐨",
        ),
        fc.integer({ min: 0xa0, max: 0x24ff }).map((code) => String.fromCodePoint(code)),
      ),
      { minLength: 1, maxLength },
    )
    .map((parts) => parts.join(""));

/** Bytes written in hexadecimal with spaces. */
export const bytesOf = (hex: string): Uint8Array => fromHex(hex.replaceAll(" ", ""));
