import { CANONICALISER_VERSION, PATTERN_CANONICALISER } from "../address/canonical.ts";
import { MAX_SHARD_BITS } from "../address/fingerprint.ts";
import { DEFAULT_POLICY, type DomainPolicy, isMode, type Mode, readPolicy } from "../address/policy.ts";
import { sentinels } from "../address/sentinel.ts";
import { concatBytes, equalBytes, fromBase64Url, fromUtf8, toBase64Url, toHex, utf8 } from "../bytes.ts";
import { DirectoryError, damaged } from "../errors.ts";
import type { DomainKey } from "../keys.ts";
import { type Departures, decodeDepartures, type LeaverGroup, type LeaverGroups } from "./departures.ts";
import { decodePatterns, type PatternTable } from "./pattern-table.ts";
import { decodeShard, type Shard } from "./shard.ts";

/** How many entries of a list are in each state. */
export interface Counts {
  readonly active: number;
  readonly disabled: number;
  readonly full: number;
  readonly moved: number;
}

/**
 * Content in 2^bits blobs: either the bytes of the only one (`inline`), or the SHA-256 of each in order, 32 bytes each.
 */
export interface BlobTable {
  readonly bits: number;
  readonly inline: Uint8Array | null;
  readonly ids: Uint8Array;
}

/** The content of a manifest, without its proof. */
export interface ManifestContent {
  readonly domain: string;
  /** The Registry's incarnation. */
  readonly incarnation: number;
  readonly generation: number;
  /** When the generation was made, Unix milliseconds. */
  readonly time: number;
  readonly mode: Mode;
  readonly policy: DomainPolicy;
  readonly counts: Counts;
  /** Set on a tombstone: the domain was deleted and is deferred until this time, Unix milliseconds. */
  readonly deletedUntil: number | null;
  /** Until then, Unix milliseconds, the domain refuses nobody (list-grace.ts); 0: it refuses at once. */
  readonly refusesFrom: number;
  readonly shards: BlobTable;
  /** `groups` says who left together; left out if nobody did, or nobody counts them. */
  readonly departures: BlobTable & { readonly count: number; readonly groups?: LeaverGroups };
  /** Null if neither the list nor its departures have patterns. */
  readonly patterns: PatternTable | null;
}

/** A manifest whose MAC, key and canonicaliser were verified. */
export interface Manifest extends ManifestContent {
  readonly key: DomainKey;
  /** The only shard of a small domain. */
  readonly inlineShard: Shard | null;
  /** The departures, or null if they are stored in blobs of their own. */
  readonly inlineDepartures: Departures | null;
  /** The patterns of the list, null if it has none. */
  readonly patternShard: Shard | null;
  /** The manifest as stored. */
  readonly bytes: Uint8Array;
}

/**
 * A manifest that was read but not verified: for storing and showing it. It decides nothing about a recipient, since it
 * may have been made with another key or canonicaliser.
 */
export interface ManifestRecord extends ManifestContent {
  readonly epoch: number;
  readonly keyId: string;
  readonly canonicaliser: number;
  /** The manifest as stored. */
  readonly bytes: Uint8Array;
}

/*
 * A manifest's bytes, integers little-endian:
 *
 *   0   "RCMF"
 *   4   u8 format, three zeros
 *   8   u32 length of the whole
 *   12  u32 length of the header, then the header: JSON
 *       u32 length, then the shard's bytes or the shards' ids
 *       u32 length, then the departures' bytes or ids
 *       HMAC-SHA-256 over all of the above under the domain's key, 32 bytes
 */
const MAGIC = 0x464d4352;
/** The format that this release writes. A release reads this one and the one before it. */
export const MANIFEST_FORMAT = 1;
const HEAD_BYTES = 16;
const MAC_BYTES = 32;
export const ID_BYTES = 32;
const SHARD_ID = /^[0-9a-f]{64}$/;

/** Whether `text` is a content id: a SHA-256 in lower-case hexadecimal. */
export const isContentId = (text: string): boolean => SHARD_ID.test(text);

export const NO_COUNTS: Counts = { active: 0, disabled: 0, full: 0, moved: 0 };

/** The id of blob `index` of a table, in hexadecimal. */
export const blobId = (table: BlobTable, index: number): string =>
  toHex(table.ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES));

/** The ids of all blobs of a table; empty if its only blob is inline. */
export function blobIds(table: BlobTable): string[] {
  return Array.from({ length: table.ids.length / ID_BYTES }, (_, i) => blobId(table, i));
}

/** Ids of all blobs that a manifest names. */
export const blobsOf = ({ shards, departures }: Pick<ManifestContent, "shards" | "departures">): string[] => [
  ...blobIds(shards),
  ...blobIds(departures),
];

/** The canonicaliser of a list with these patterns. Without patterns it is the one that every release knows. */
export const canonicaliserOf = (patterns: unknown): number =>
  patterns === null ? CANONICALISER_VERSION : PATTERN_CANONICALISER;

/** Encodes a manifest and appends the MAC under the domain's key. */
export function encodeManifest(content: ManifestContent, key: DomainKey): Uint8Array {
  const { domain, incarnation, generation, time, mode, policy, counts, deletedUntil } = content;
  const { refusesFrom, shards, departures, patterns } = content;
  const header = utf8(
    // Field by field, since `content` may be an opened manifest, which has more fields.
    JSON.stringify({
      domain,
      incarnation,
      generation,
      time,
      mode,
      policy,
      counts,
      deletedUntil,
      epoch: key.epoch,
      key: key.id,
      canonicaliser: canonicaliserOf(patterns),
      sentinels: sentinels(key.names, policy, patterns !== null),
      shards: { bits: shards.bits, inline: shards.inline !== null },
      departures: {
        bits: departures.bits,
        inline: departures.inline !== null,
        count: departures.count,
        ...encodeGroups(departures.groups),
      },
      // Last, and only if there are any.
      ...(refusesFrom > 0 && { refusesFrom }),
      ...(patterns && { patterns: { ...patterns, table: patterns.table && toBase64Url(patterns.table) } }),
    }),
  );
  const blocks = [header, shards.inline ?? shards.ids, departures.inline ?? departures.ids];
  const length = HEAD_BYTES - 4 + blocks.reduce((sum, block) => sum + 4 + block.length, 0) + MAC_BYTES;
  const head = new Uint8Array(12);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, MANIFEST_FORMAT);
  view.setUint32(8, length, true);
  const body = concatBytes([head, ...blocks.flatMap((block) => [u32(block.length), block])]);
  return concatBytes([body, key.manifest(body)]);
}

/**
 * Reads a manifest without verifying it.
 * @throws DirectoryError `damaged` if it is not a manifest, or belongs to another domain
 */
export function readManifest(bytes: Uint8Array, domain: string): ManifestRecord {
  const { header, blocks } = takeApart(bytes);
  if (header.domain !== domain) throw damaged(`manifest of another domain than ${domain}`);
  return {
    ...readContent(header, blocks),
    epoch: wholeNumber(header.epoch, "epoch"),
    keyId: String(header.key),
    canonicaliser: wholeNumber(header.canonicaliser, "canonicaliser"),
    bytes,
  };
}

/**
 * Reads a manifest, and verifies its MAC if it was made under the domain's own key. Under another key nobody can tell, and
 * nothing may be made from it.
 * @throws DirectoryError `damaged` if it is not a manifest, belongs to another domain, or fails its MAC
 */
export function readVerified(
  bytes: Uint8Array,
  domain: string,
  keyFor: (domain: string, epoch: number) => DomainKey,
): ManifestRecord {
  const record = readManifest(bytes, domain);
  const key = keyFor(domain, record.epoch);
  const end = bytes.length - MAC_BYTES;
  if (record.keyId === key.id && !equalBytes(key.manifest(bytes.subarray(0, end)), bytes.subarray(end))) {
    throw failsMac(domain);
  }
  return record;
}

/**
 * Opens a manifest and verifies its MAC, its key and its canonicaliser (law 5).
 *
 * @param domain the domain under which it was found
 * @param keyFor returns a domain's key at an epoch
 * @throws DirectoryError `damaged`, `key-mismatch` or `canonicaliser-mismatch`
 */
export function openManifest(
  bytes: Uint8Array,
  domain: string,
  keyFor: (domain: string, epoch: number) => DomainKey,
): Manifest {
  const { header, blocks, body, mac } = takeApart(bytes);
  if (header.domain !== domain) throw damaged(`manifest of another domain than ${domain}`);
  const key = keyFor(domain, wholeNumber(header.epoch, "epoch"));
  if (header.key !== key.id) {
    throw new DirectoryError(
      "key-mismatch",
      `manifest of ${domain} was made under key ${String(header.key)}`,
    );
  }
  if (!equalBytes(key.manifest(body), mac)) throw failsMac(domain);
  if (header.canonicaliser !== canonicaliserOf(header.patterns ?? null)) {
    throw new DirectoryError(
      "canonicaliser-mismatch",
      `manifest of ${domain} was made under canonicaliser ${String(header.canonicaliser)}`,
    );
  }
  const content = readContent(header, blocks);
  const { patterns } = content;
  const expected = sentinels(key.names, content.policy, patterns !== null);
  if (JSON.stringify(header.sentinels) !== JSON.stringify(expected)) {
    throw new DirectoryError("canonicaliser-mismatch", `manifest of ${domain} has other sentinels`);
  }
  const { shards, departures } = content;
  const inlineShard = shards.inline === null ? null : decodeShard(shards.inline);
  const inlineDepartures = departures.inline === null ? null : decodeDepartures(departures.inline);
  // One of several shards would look like a list without the names of the others.
  if (inlineShard !== null && inlineShard.bits !== 0)
    throw damaged("manifest's inline shard is one of several");
  if (
    inlineDepartures !== null &&
    (inlineDepartures.bits !== 0 || inlineDepartures.count !== departures.count)
  ) {
    throw damaged("manifest's inline departures are not all of them");
  }
  const patternShard = patterns?.table ? decodePatterns(patterns.table) : null;
  return { ...content, key, inlineShard, inlineDepartures, patternShard, bytes };
}

const failsMac = (domain: string): DirectoryError => damaged(`manifest of ${domain} fails its MAC`);

interface Parts {
  readonly header: Record<string, unknown>;
  readonly blocks: readonly [Uint8Array, Uint8Array];
  readonly body: Uint8Array;
  readonly mac: Uint8Array;
}

function takeApart(bytes: Uint8Array): Parts {
  if (bytes.length < HEAD_BYTES + 8 + MAC_BYTES) throw damaged("manifest shorter than its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) throw damaged("not a manifest");
  if (view.getUint32(4, true) !== MANIFEST_FORMAT) {
    throw damaged(`manifest of unknown format ${view.getUint8(4)}`);
  }
  if (view.getUint32(8, true) !== bytes.length) throw damaged("manifest states another length");
  const end = bytes.length - MAC_BYTES;
  let at = 12;
  const block = (): Uint8Array => {
    if (at + 4 > end) throw damaged("manifest ends early");
    const length = view.getUint32(at, true);
    at += 4;
    if (length > end - at) throw damaged("manifest ends early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const headerBytes = block();
  const blocks = [block(), block()] as const;
  if (at !== end) throw damaged("manifest has bytes after its end");
  return { header: readHeader(headerBytes), blocks, body: bytes.subarray(0, end), mac: bytes.subarray(end) };
}

function readHeader(bytes: Uint8Array): Record<string, unknown> {
  try {
    return record(JSON.parse(fromUtf8(bytes)), "header");
  } catch {
    throw damaged("manifest's header is not JSON");
  }
}

function readContent(header: Record<string, unknown>, blocks: Parts["blocks"]): ManifestContent {
  const { origin, mode } = header;
  // Written past the Registry, which guards, defers and confirms nothing of it.
  if (origin === "kv") throw damaged("manifest that no Registry made");
  if (!isMode(mode)) throw damaged("manifest's mode");
  const counts = record(header.counts, "counts");
  const departures = record(header.departures, "departures");
  return {
    domain: header.domain as string,
    incarnation: wholeNumber(header.incarnation, "incarnation"),
    generation: wholeNumber(header.generation, "generation"),
    time: wholeNumber(header.time, "time"),
    mode,
    policy: { ...DEFAULT_POLICY, ...readPolicy(header.policy) },
    counts: {
      active: wholeNumber(counts.active, "counts"),
      disabled: wholeNumber(counts.disabled, "counts"),
      full: wholeNumber(counts.full, "counts"),
      moved: wholeNumber(counts.moved, "counts"),
    },
    deletedUntil: header.deletedUntil === null ? null : wholeNumber(header.deletedUntil, "deletedUntil"),
    refusesFrom: header.refusesFrom === undefined ? 0 : wholeNumber(header.refusesFrom, "refusesFrom"),
    shards: readTable(record(header.shards, "shards"), blocks[0]),
    departures: {
      ...readTable(departures, blocks[1]),
      count: wholeNumber(departures.count, "departures"),
      ...readGroups(departures),
    },
    patterns: header.canonicaliser === PATTERN_CANONICALISER ? readPatterns(header.patterns) : null,
  };
}

/** Each group as [number, left, gone, when]. */
const encodeGroups = (groups: LeaverGroups | undefined): Record<string, unknown> =>
  groups === undefined || groups.groups.length === 0
    ? {}
    : { grid: groups.grid, groups: groups.groups.map(({ id, left, gone, at }) => [id, left, gone, at]) };

function readGroups({ grid, groups }: Record<string, unknown>): { readonly groups?: LeaverGroups } {
  if (groups === undefined) return {};
  if (!Array.isArray(groups) || grid === 0) throw damaged("manifest's groups");
  const read = (value: unknown): LeaverGroup => {
    if (!Array.isArray(value)) throw damaged("manifest's groups");
    const [id, left, gone, at] = value.map((each: unknown) => wholeNumber(each, "groups"));
    return { id: id ?? 0, left: left ?? 0, gone: gone ?? 0, at: at ?? 0 };
  };
  return { groups: { grid: wholeNumber(grid, "grid"), groups: groups.map(read) } };
}

function readPatterns(value: unknown): PatternTable {
  const { table, departedUntil } = record(value, "patterns");
  const until = wholeNumber(departedUntil, "patterns");
  try {
    return { table: table === null ? null : fromBase64Url(String(table)), departedUntil: until };
  } catch {
    throw damaged("manifest's patterns");
  }
}

function readTable(table: Record<string, unknown>, block: Uint8Array): BlobTable {
  const bits = wholeNumber(table.bits, "bits");
  if (bits > MAX_SHARD_BITS) throw damaged(`manifest of 2^${bits} blobs`);
  if (table.inline === true) {
    if (bits !== 0) throw damaged("manifest with more than one inline blob");
    return { bits, inline: block, ids: new Uint8Array(0) };
  }
  if (block.length !== ID_BYTES * 2 ** bits) throw damaged("manifest's table of ids");
  return { bits, inline: null, ids: block };
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw damaged(`manifest's ${name}`);
  return value as Record<string, unknown>;
}

function wholeNumber(value: unknown, name: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw damaged(`manifest's ${name}`);
  return value as number;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
