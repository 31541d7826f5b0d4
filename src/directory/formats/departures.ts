import { tailOf } from "../address/fingerprint.ts";
import { damaged } from "../errors.ts";

/*
 * Names that left the list or were suspended, each with the second until which it is deferred. Many are split into blobs by the top
 * bits of the tail, not of the prefix as shards are: a shard's entries have no prefix, only a tail.
 *
 *   0   "RCDP"
 *   4   u8 format, u8 bits, u16 zero
 *   8   u32 length of the whole
 *   12  u32 entries n
 *   16  u32 high[n]     top 32 bits of the tail, ascending with low
 *       u32 until[n]    Unix seconds: even for a name that left, odd for one that was suspended
 *       u16 low[n]      the other 16 bits
 */
const MAGIC = 0x50444352;
const FORMAT = 1;
const COLUMNS_AT = 16;
const ENTRY_BYTES = 10;

/** Entries planned for one blob of departures. */
const BLOB_ENTRIES = 32_768;
/** A blob is chosen by the tail's first byte. */
const MAX_BITS = 8;
/** Up to this many are stored in the manifest itself. */
export const INLINE_DEPARTURES = 2_000;

/** The second until which a name is deferred that the brake holds: the last one that there is. A release cannot be late. */
export const HELD = 0xffff_ffff;
/** Seconds for which a name stays marked after its grace. Then it is unknown, and the brake may still hold it. */
export const MARKED_FOR = 86_400;

/** One group of names that left. */
export interface LeaverGroup {
  /** What it is counted under. */
  readonly id: number;
  /** How many left. */
  readonly left: number;
  /** How many of them are gone still. */
  readonly gone: number;
  /** When they left, Unix seconds; on average, if it was not at once. */
  readonly at: number;
}

/** The groups of one generation's departures, in order of their numbers. */
export interface LeaverGroups {
  /** Seconds: names that left a few at a time are one group if they are deferred until the same part of time. */
  readonly grid: number;
  readonly groups: readonly LeaverGroup[];
}

/** One blob of departures, ready for lookups. */
export interface Departures {
  readonly bytes: Uint8Array;
  readonly bits: number;
  readonly count: number;
  readonly high: Uint32Array;
  readonly until: Uint32Array;
  readonly low: Uint16Array;
}

/** Names that left or were suspended, sorted by tail without duplicates. Columns, since there may be millions. */
export interface DepartureColumns {
  /** 48-bit tails, ascending. */
  readonly tails: Float64Array;
  /** The Unix second until which each is deferred. */
  readonly until: Uint32Array;
}

/** Number of bits that choose the blob for `count` departures. */
export const departureBitsFor = (count: number): number =>
  Math.max(0, Math.min(MAX_BITS, Math.ceil(Math.log2(count / BLOB_ENTRIES))));

/** Number of the blob, of 2^bits, that holds a tail. */
export const departureBlobOf = (tail: number, bits: number): number => Math.floor(tail / 2 ** (48 - bits));

/** Encodes one blob. */
export function encodeDepartures({ tails, until }: DepartureColumns, bits: number): Uint8Array {
  const count = tails.length;
  const bytes = new Uint8Array(COLUMNS_AT + ENTRY_BYTES * count);
  const header = new DataView(bytes.buffer);
  header.setUint32(0, MAGIC, true);
  header.setUint8(4, FORMAT);
  header.setUint8(5, bits);
  header.setUint32(8, bytes.length, true);
  header.setUint32(12, count, true);
  const blob = viewsOf(bytes, bits, count);
  for (let i = 0; i < count; i++) {
    const tail = tails[i] as number;
    blob.high[i] = Math.floor(tail / 2 ** 16);
    blob.low[i] = tail % 2 ** 16;
    blob.until[i] = until[i] as number;
  }
  return bytes;
}

/** Decodes and checks a whole blob. @throws DirectoryError `damaged` */
export function decodeDepartures(bytes: Uint8Array): Departures {
  if (bytes.length < COLUMNS_AT) throw damaged("departures shorter than their header");
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const header = new DataView(aligned.buffer, aligned.byteOffset, COLUMNS_AT);
  if (header.getUint32(0, true) !== MAGIC) throw damaged("not departures");
  if (header.getUint8(4) !== FORMAT) throw damaged(`departures of unknown format ${header.getUint8(4)}`);
  const bits = header.getUint8(5);
  const count = header.getUint32(12, true);
  if (bits > MAX_BITS || header.getUint16(6) !== 0) throw damaged("departures' header");
  if (header.getUint32(8, true) !== aligned.length || aligned.length !== COLUMNS_AT + ENTRY_BYTES * count) {
    throw damaged(`departures of ${aligned.length} bytes state another length`);
  }
  const blob = viewsOf(aligned, bits, count);
  for (let i = 1; i < count; i++) {
    const step = (blob.high[i] as number) - (blob.high[i - 1] as number);
    if (step < 0 || (step === 0 && (blob.low[i] as number) <= (blob.low[i - 1] as number))) {
      throw damaged("departures are not in order");
    }
  }
  return blob;
}

function viewsOf(bytes: Uint8Array, bits: number, count: number): Departures {
  const at = bytes.byteOffset + COLUMNS_AT;
  return {
    bytes,
    bits,
    count,
    high: new Uint32Array(bytes.buffer, at, count),
    until: new Uint32Array(bytes.buffer, at + 4 * count, count),
    low: new Uint16Array(bytes.buffer, at + 8 * count, count),
  };
}

/**
 * @param digest a fingerprint's digest
 * @returns the Unix second until which the name is deferred, or was if it is only marked; 0 if it did not leave
 */
export function departedUntil(departures: Departures, digest: Uint8Array): number {
  const tail = tailOf(digest);
  const high = Math.floor(tail / 2 ** 16);
  const low = tail % 2 ** 16;
  let from = 0;
  let to = departures.count;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const step = (departures.high[middle] as number) - high || (departures.low[middle] as number) - low;
    if (step === 0) return departures.until[middle] as number;
    if (step < 0) from = middle + 1;
    else to = middle;
  }
  return 0;
}

/** All entries of a blob. */
export function departuresOf(blob: Departures): DepartureColumns {
  return {
    tails: Float64Array.from(blob.high, (high, i) => high * 2 ** 16 + (blob.low[i] as number)),
    until: blob.until,
  };
}
