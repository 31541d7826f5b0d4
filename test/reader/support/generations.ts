/** Generations with blobs for the blob cache, and what can be observed of the cache from outside. */
import { expect } from "vitest";
import {
  type BlobTable,
  blobId,
  decodeDepartures,
  decodeShard,
  encodeDepartures,
  encodeManifest,
  type Manifest,
  openManifest,
} from "../../../src/directory/index.ts";
import { BlobCache, type CachedManifest } from "../../../src/reader/blob-cache.ts";
import { contentOf, idOf, keyFor, listOf, packList, tableOf } from "../../directory/helpers.ts";

/** Room for everything. */
export const AMPLE = 64 * 1024 * 1024;
export const READ_AT = 1_000;
export const TABLES = ["shards", "departures"] as const;
export type Table = (typeof TABLES)[number];

/** A generation with its blobs as in KV. */
export interface Made {
  readonly manifest: Manifest;
  readonly blobs: Readonly<Record<Table, readonly Uint8Array[]>>;
}

/** Departures as blobs: one or two of them, or none if they are in the manifest. */
function departuresOf(until: readonly number[], bits: number): readonly Uint8Array[] {
  return Array.from({ length: 2 ** bits }, (_, index) => {
    // The top bits of a tail choose its blob.
    const tails = Float64Array.of(index * 2 ** (48 - bits) + 5);
    return encodeDepartures({ tails, until: Uint32Array.of(until[index] as number) }, bits);
  });
}

export interface Shape {
  readonly domain?: string;
  readonly names: readonly string[];
  /** Shards: bits, and whether the only one is in the manifest. */
  readonly bits: number;
  readonly isInline?: boolean;
  /** Departures of each blob; empty if omitted. */
  readonly left?: readonly number[];
  readonly incarnation?: number;
  readonly generation?: number;
}

let made = 0;

/** Makes a generation with a higher number than all before. */
export function make({ domain = "example.com", names, bits, isInline = false, left, ...said }: Shape): Made {
  const key = keyFor(domain);
  const { shards } = packList(listOf(names), key, bits);
  const gone = left === undefined ? [encodeNone()] : departuresOf(left, Math.log2(left.length));
  const content = contentOf(
    { bits, shards, table: tableOf(shards, bits, isInline) },
    {
      domain,
      generation: ++made,
      departures: {
        ...tableOf(gone, left === undefined ? 0 : Math.log2(left.length), left === undefined),
        count: left?.length ?? 0,
      },
      ...said,
    },
  );
  const manifest = openManifest(encodeManifest(content, key), domain, keyFor);
  return { manifest, blobs: { shards: isInline ? [] : shards, departures: left === undefined ? [] : gone } };
}

const encodeNone = (): Uint8Array =>
  encodeDepartures({ tails: new Float64Array(0), until: new Uint32Array(0) }, 0);

export const decode = (table: Table, bytes: Uint8Array) =>
  table === "shards" ? decodeShard(bytes) : decodeDepartures(bytes);

export const blobOf = (
  held: CachedManifest,
  table: Table,
  index: number,
): { readonly bytes: Uint8Array } | undefined =>
  table === "shards" ? held.shard(index) : held.departures(index);

export const heldOf = (memory: BlobCache, domain = "example.com"): CachedManifest => {
  const held = memory.peek(domain);
  if (held === undefined) throw new Error(`${domain} is not held`);
  return held;
};

/** Adds a generation, with all of its blobs if it is to be read. */
export function hold(memory: BlobCache, { manifest, blobs }: Made, isRead = false): CachedManifest {
  memory.put(manifest, READ_AT);
  const held = heldOf(memory, manifest.domain);
  if (!isRead) return held;
  for (const table of TABLES)
    blobs[table].forEach((bytes, index) => {
      if (blobOf(held, table, index) === undefined) memory.putBlob(held, table, index, decode(table, bytes));
    });
  return held;
}

/** Which blobs of a domain are in memory. */
export function atHand(memory: BlobCache, table: Table, domain = "example.com"): number[] {
  const held = heldOf(memory, domain);
  return Array.from({ length: 2 ** held.manifest[table].bits }, (_, i) => i).filter(
    (index) => blobOf(held, table, index) !== undefined,
  );
}

/** A blob in memory is the one that its manifest names. */
export function requireRight(memory: BlobCache, domains: readonly string[]): void {
  for (const domain of domains) {
    const held = memory.peek(domain);
    if (held === undefined) continue;
    for (const table of TABLES) {
      const named: BlobTable = held.manifest[table];
      for (let index = 0; index < 2 ** named.bits; index++) {
        const blob = blobOf(held, table, index);
        if (blob !== undefined) expect(idOf(blob.bytes)).toBe(blobId(named, index));
      }
    }
  }
}

/** The size of a cache that got the same contents one after the other, and evicted nothing. */
export function sizeOfContents(memory: BlobCache, domains: readonly string[]): number {
  const fresh = new BlobCache(Number.POSITIVE_INFINITY);
  for (const domain of domains) {
    const held = memory.peek(domain);
    if (held === undefined) continue;
    fresh.put(held.manifest, READ_AT);
    for (const table of TABLES) {
      for (const index of atHand(memory, table, domain)) {
        const blob = blobOf(held, table, index) as { readonly bytes: Uint8Array };
        fresh.putBlob(heldOf(fresh, domain), table, index, decode(table, blob.bytes));
      }
    }
  }
  return fresh.size;
}

/** Invented local parts. */
export const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `u${i}`);
