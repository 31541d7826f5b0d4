import { BUCKET_AT, highOf, joinTail, LOW_AT, MAX_SHARD_BITS } from "../address/fingerprint.ts";
import { damaged } from "../errors.ts";

/** State of a mailbox in the list. */
export const ENTRY_STATES = ["active", "disabled", "full", "moved"] as const;
export type EntryState = (typeof ENTRY_STATES)[number];
export const ACTIVE = 0;
export const DISABLED = 1;
export const FULL = 2;
export const MOVED = 3;

/** Whether a state accepts or defers mail. Law 4 protects such names. */
export const isAcceptedState = (state: number): boolean => state === ACTIVE || state === FULL;

/*
 * A shard's bytes, integers little-endian so that columns can be used in place:
 *
 *   0    "RCSH"
 *   4    u8 format, u8 shard bits, u16 number of this shard among the 2^bits
 *   8    u32 length of the whole
 *   12   u32 entries n
 *   16   u32 exceptions x
 *   20   u16 offsets[257]: entries of bucket b stand at offsets[b] .. offsets[b + 1]
 *   534  u16 zero
 *   536  u32 high[n], sorted within a bucket
 *        u8 low[n], then a zero to even length
 *        u16 exception[x]: entries that are not active, ascending
 *        u8 state[x]
 */
const MAGIC = 0x48534352;
const FORMAT = 1;
const OFFSETS_AT = 20;
const COLUMNS_AT = 536;
const BUCKETS = 256;

/** Entries that a shard can hold: its offsets are 16 bits wide. */
export const MAX_SHARD_ENTRIES = 0xffff;
/** Entries that a shard is planned for. */
export const SHARD_ENTRIES = 8192;

/** A shard, ready for lookups: views into its bytes, nothing copied. */
export interface Shard {
  readonly bytes: Uint8Array;
  readonly bits: number;
  /** Its number among the 2^bits. A table that names shards in another order is a fault, not a list without names. */
  readonly index: number;
  readonly count: number;
  readonly offsets: Uint16Array;
  readonly high: Uint32Array;
  readonly low: Uint8Array;
  readonly exceptions: Uint16Array;
  readonly states: Uint8Array;
}

/** Entries of one shard, sorted by tail without duplicates. */
export interface Entries {
  /** 48-bit tails, ascending. */
  readonly tails: Float64Array;
  /** State of each entry, an index into {@link ENTRY_STATES}. */
  readonly states: Uint8Array;
}

const sizeOf = (count: number, exceptions: number): number =>
  COLUMNS_AT + 4 * count + (count + (count & 1)) + 3 * exceptions;

/** Encodes shard `index` of 2^bits. Equal entries give equal bytes. */
export function encodeShard(entries: Entries, bits: number, index: number): Uint8Array {
  const { tails, states } = entries;
  const count = tails.length;
  if (count > MAX_SHARD_ENTRIES) throw new RangeError(`${count} entries do not fit one shard`);
  let exceptional = 0;
  for (const state of states) if (state !== ACTIVE) exceptional++;
  const shard = newShard(bits, index, count, exceptional);
  let bucket = 0;
  let exception = 0;
  for (let i = 0; i < count; i++) {
    const tail = tails[i] as number;
    const own = Math.floor(tail / 2 ** 40);
    while (bucket < own) shard.offsets[++bucket] = i;
    const rest = tail - own * 2 ** 40;
    shard.high[i] = Math.floor(rest / 256);
    shard.low[i] = rest % 256;
    const state = states[i] as number;
    if (state !== ACTIVE) {
      shard.exceptions[exception] = i;
      shard.states[exception++] = state;
    }
  }
  while (bucket < BUCKETS) shard.offsets[++bucket] = count;
  return shard.bytes;
}

/** The bytes of the only shard of a list without entries. */
export const emptyShard = (): Uint8Array => newShard(0, 0, 0, 0).bytes;

/** A shard whose columns are still zero. */
function newShard(bits: number, index: number, count: number, exceptions: number): Shard {
  const bytes = new Uint8Array(sizeOf(count, exceptions));
  const header = new DataView(bytes.buffer);
  header.setUint32(0, MAGIC, true);
  header.setUint8(4, FORMAT);
  header.setUint8(5, bits);
  header.setUint16(6, index, true);
  header.setUint32(8, bytes.length, true);
  header.setUint32(12, count, true);
  header.setUint32(16, exceptions, true);
  return viewsOf(bytes, { bits, index }, count, exceptions);
}

/**
 * Decodes and checks a whole shard.
 * @throws DirectoryError `damaged` for anything that {@link encodeShard} would not write
 */
export function decodeShard(bytes: Uint8Array): Shard {
  if (bytes.length < COLUMNS_AT) throw damaged(`shard of ${bytes.length} bytes is shorter than its header`);
  // Columns are used in place, so they must be aligned.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const header = new DataView(aligned.buffer, aligned.byteOffset, COLUMNS_AT);
  if (header.getUint32(0, true) !== MAGIC) throw damaged("not a shard");
  if (header.getUint8(4) !== FORMAT) throw damaged(`shard of unknown format ${header.getUint8(4)}`);
  const bits = header.getUint8(5);
  const count = header.getUint32(12, true);
  const exceptions = header.getUint32(16, true);
  const index = header.getUint16(6, true);
  if (bits > MAX_SHARD_BITS || index >= 2 ** bits) throw damaged(`shard ${index} of 2^${bits} shards`);
  if (count > MAX_SHARD_ENTRIES || exceptions > count) throw damaged("shard with impossible counts");
  if (header.getUint32(8, true) !== aligned.length || sizeOf(count, exceptions) !== aligned.length) {
    throw damaged(`shard of ${aligned.length} bytes states another length`);
  }
  if (header.getUint16(534, true) !== 0) throw damaged("shard's padding");
  const shard = viewsOf(aligned, { bits, index }, count, exceptions);
  checkOrder(shard);
  return shard;
}

function viewsOf(
  bytes: Uint8Array,
  place: Pick<Shard, "bits" | "index">,
  count: number,
  exceptions: number,
): Shard {
  const at = (offset: number): number => bytes.byteOffset + offset;
  const lowAt = COLUMNS_AT + 4 * count;
  const exceptionsAt = lowAt + count + (count & 1);
  return {
    bytes,
    ...place,
    count,
    offsets: new Uint16Array(bytes.buffer, at(OFFSETS_AT), BUCKETS + 1),
    high: new Uint32Array(bytes.buffer, at(COLUMNS_AT), count),
    low: new Uint8Array(bytes.buffer, at(lowAt), count),
    exceptions: new Uint16Array(bytes.buffer, at(exceptionsAt), exceptions),
    states: new Uint8Array(bytes.buffer, at(exceptionsAt + 2 * exceptions), exceptions),
  };
}

function checkOrder(shard: Shard): void {
  const { offsets, high, low, exceptions, states, count, bytes } = shard;
  if (offsets[0] !== 0 || offsets[BUCKETS] !== count) throw damaged("shard's bucket table");
  for (let b = 0; b < BUCKETS; b++) {
    const from = offsets[b] as number;
    const to = offsets[b + 1] as number;
    if (to < from || to > count) throw damaged("shard's bucket table");
    for (let i = from + 1; i < to; i++) {
      const step = (high[i] as number) - (high[i - 1] as number);
      if (step < 0 || (step === 0 && (low[i] as number) <= (low[i - 1] as number))) {
        throw damaged("shard's entries are not in order");
      }
    }
  }
  if (count & 1 && bytes[COLUMNS_AT + 5 * count] !== 0) throw damaged("shard's padding");
  for (let i = 0; i < exceptions.length; i++) {
    const entry = exceptions[i] as number;
    const state = states[i] as number;
    const ascending = i === 0 || entry > (exceptions[i - 1] as number);
    if (!ascending || entry >= count || state === ACTIVE || state >= ENTRY_STATES.length) {
      throw damaged("shard's exceptions");
    }
  }
}

/**
 * Looks a fingerprint up in the shard that its prefix chooses.
 * @param digest the fingerprint's digest, or bytes that hold the fingerprint at `at`
 * @returns the entry's state, an index into {@link ENTRY_STATES}, or -1 if it is not listed
 */
export function findEntry(shard: Shard, digest: Uint8Array, at = 0): number {
  const bucket = digest[at + BUCKET_AT] as number;
  const end = shard.offsets[bucket + 1] as number;
  const wanted = highOf(digest, at);
  const lowWanted = digest[at + LOW_AT] as number;
  const { high, low } = shard;
  // A bucket has about 32 entries, so a linear scan is fastest.
  for (let i = shard.offsets[bucket] as number; i < end; i++) {
    if (high[i] === wanted && low[i] === lowWanted) return stateOf(shard, i);
  }
  return -1;
}

function stateOf(shard: Shard, entry: number): number {
  const { exceptions } = shard;
  let from = 0;
  let to = exceptions.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((exceptions[middle] as number) < entry) from = middle + 1;
    else to = middle;
  }
  return from < exceptions.length && exceptions[from] === entry ? (shard.states[from] as number) : ACTIVE;
}

/** All entries of a shard, for comparing two generations. */
export function entriesOf(shard: Shard): Entries {
  const tails = new Float64Array(shard.count);
  const states = new Uint8Array(shard.count);
  for (let b = 0; b < BUCKETS; b++) {
    const end = shard.offsets[b + 1] as number;
    for (let i = shard.offsets[b] as number; i < end; i++) {
      tails[i] = joinTail(b, shard.high[i] as number, shard.low[i] as number);
    }
  }
  shard.exceptions.forEach((entry, i) => {
    states[entry] = shard.states[i] as number;
  });
  return { tails, states };
}

/** How many of a shard's entries are in each state. */
export function countStates(shard: Shard): [active: number, disabled: number, full: number, moved: number] {
  const counts: [number, number, number, number] = [shard.count - shard.states.length, 0, 0, 0];
  for (const state of shard.states) counts[state as 1 | 2 | 3]++;
  return counts;
}

/**
 * Number of bits that choose the shard for a list of `entries`: about {@link SHARD_ENTRIES} in each. The number in use
 * is kept while shards stay between half and twice that, so that a list near a limit is not repacked every day.
 */
export function shardBitsFor(entries: number, inUse?: number): number {
  if (inUse !== undefined && inUse <= MAX_SHARD_BITS) {
    const each = entries / 2 ** inUse;
    if (each <= 2 * SHARD_ENTRIES && (inUse === 0 || each >= SHARD_ENTRIES / 2)) return inUse;
  }
  if (entries <= SHARD_ENTRIES) return 0;
  return Math.min(MAX_SHARD_BITS, Math.round(Math.log2(entries / SHARD_ENTRIES)));
}
