import {
  type BlobTable,
  type Counts,
  concatBytes,
  countStates,
  decodeShard,
  emptyShard,
  encodeShard,
  equalBytes,
  findEntry,
  type Hashing,
  isAcceptedState,
  type Shard,
  shardBitsFor,
  shardOf,
} from "../directory/index.ts";
import type { EntryColumns } from "./entries.ts";

/** A list's only shard is stored in its manifest up to this size (about 6,000 mailboxes). */
export const INLINE_SHARD = 32 * 1024;

/** A list packed into shards: a pure function of its entries and {@link PackOptions}. */
export interface PackedList {
  readonly table: BlobTable;
  /** Bytes of each shard, in order; the inline one too. */
  readonly shards: readonly Uint8Array[];
  readonly counts: Counts;
  /** The table of patterns, null if there are none. */
  readonly patterns: Uint8Array | null;
}

/** Receives entries that the list has more than once. */
export interface Repetitions {
  /** The same name in the same state: harmless. */
  duplicate(line: number, first: number): void;
  /** The same name in another state. A state that accepts mail is kept, or else the first. */
  clash(line: number, first: number): void;
}

export interface PackOptions {
  /** Shard bits of the list that this one follows; kept while the entries fit. */
  readonly bitsInUse?: number | undefined;
  /** Shard bits to use, whatever the number of entries: for small lists of many shards in tests. */
  readonly bits?: number | undefined;
  /** Names that will join the packed list, such as those of single changes: its shards have room for them. */
  readonly more?: number | undefined;
  readonly repetitions?: Repetitions;
  /** Entries that are patterns: a table of their own. */
  readonly patterns?: EntryColumns;
  /** Called after each shard. */
  progress?(done: number, of: number): void;
}

/**
 * Sorts entries into shards and packs them. Decodes each shard again and looks up each of its entries, so that no
 * list is published in which a check would miss an entry.
 */
export function packList(entries: EntryColumns, hashing: Hashing, options: PackOptions = {}): PackedList {
  const bits = options.bits ?? shardBitsFor(entries.count + (options.more ?? 0), options.bitsInUse);
  const { order, starts } = byShard(entries, bits);
  const shards: Uint8Array[] = [];
  const counts = { active: 0, disabled: 0, full: 0, moved: 0 };
  for (let index = 0; index < 2 ** bits; index++) {
    const members = order.subarray(starts[index], starts[index + 1]);
    const bytes = packShard(entries, members, bits, index, options.repetitions);
    const [active, disabled, full, moved] = countStates(decodeShard(bytes));
    counts.active += active;
    counts.disabled += disabled;
    counts.full += full;
    counts.moved += moved;
    shards.push(bytes);
    options.progress?.(index + 1, 2 ** bits);
  }
  return { table: tableOf(shards, bits, hashing), shards, counts, patterns: packPatterns(options) };
}

function packPatterns({ patterns, repetitions }: PackOptions): Uint8Array | null {
  if (patterns === undefined || patterns.count === 0) return null;
  const members = Uint32Array.from({ length: patterns.count }, (_, i) => i);
  return packShard(patterns, members, 0, 0, repetitions);
}

/** Looks names up in a packed list: the state of a fingerprint, or -1. Each shard is decoded once. */
export function statesIn({ shards, table }: PackedList): (fingerprint: Uint8Array) => number {
  const decoded = new Map<number, Shard>();
  return (fingerprint) => {
    const index = shardOf(fingerprint, table.bits);
    const shard = decoded.get(index) ?? decodeShard(shards[index] as Uint8Array);
    decoded.set(index, shard);
    return findEntry(shard, fingerprint);
  };
}

/** The list of an alias, which has none of its own. */
export function emptyList(): PackedList {
  const bytes = emptyShard();
  return {
    table: { bits: 0, inline: bytes, ids: new Uint8Array(0) },
    shards: [bytes],
    counts: { active: 0, disabled: 0, full: 0, moved: 0 },
    patterns: null,
  };
}

function tableOf(shards: readonly Uint8Array[], bits: number, hashing: Hashing): BlobTable {
  const only = shards[0] as Uint8Array;
  if (bits === 0 && only.length <= INLINE_SHARD) return { bits, inline: only, ids: new Uint8Array(0) };
  return { bits, inline: null, ids: concatBytes(shards.map((bytes) => hashing.sha256(bytes))) };
}

/** Counting sort of the entries' numbers by shard; stable within a shard. */
function byShard(entries: EntryColumns, bits: number): { order: Uint32Array; starts: Uint32Array } {
  const { count } = entries;
  const starts = new Uint32Array(2 ** bits + 1);
  for (let i = 0; i < count; i++) {
    const at = entries.shard(i, bits) + 1;
    starts[at] = (starts[at] as number) + 1;
  }
  for (let shard = 1; shard < starts.length; shard++) {
    starts[shard] = (starts[shard] as number) + (starts[shard - 1] as number);
  }
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const shard = entries.shard(i, bits);
    const at = next[shard] as number;
    order[at] = i;
    next[shard] = at + 1;
  }
  return { order, starts };
}

function packShard(
  entries: EntryColumns,
  members: Uint32Array,
  bits: number,
  index: number,
  repetitions?: Repetitions,
): Uint8Array {
  // Tail and state as one exact number of 50 bits: the native sort of numbers does the work.
  const joined = new Float64Array(members.length);
  members.forEach((member, i) => {
    joined[i] = entries.tail(member) * 4 + entries.state(member);
  });
  joined.sort();
  const tails = new Float64Array(joined.length);
  const states = new Uint8Array(joined.length);
  const settled = new Map<number, number>();
  let count = 0;
  for (const value of joined) {
    const tail = Math.floor(value / 4);
    if (count > 0 && tails[count - 1] === tail) {
      if (!settled.has(tail)) settled.set(tail, settle(entries, members, tail, repetitions));
      states[count - 1] = settled.get(tail) as number;
    } else {
      tails[count] = tail;
      states[count++] = value % 4;
    }
  }
  const bytes = encodeShard(
    { tails: tails.subarray(0, count), states: states.subarray(0, count) },
    bits,
    index,
  );
  requireFound(entries, members, bytes, settled);
  return bytes;
}

/** Decides the state of a tail that occurs more than once in the shard, and reports its lines. */
function settle(
  entries: EntryColumns,
  members: Uint32Array,
  tail: number,
  repetitions?: Repetitions,
): number {
  const same = members.filter((i) => entries.tail(i) === tail);
  let state = -1;
  const firsts: number[] = [];
  for (const i of same) {
    const first = firsts.find((other) => equalBytes(entries.fingerprint(other), entries.fingerprint(i)));
    if (first === undefined) {
      firsts.push(i);
    } else {
      const report = entries.state(first) === entries.state(i) ? "duplicate" : "clash";
      repetitions?.[report](entries.line(i), entries.line(first));
    }
    // A false refusal loses mail, so the state that accepts is kept. Two names with one tail, once in billions of
    // lists, are one entry too.
    if (state < 0 || (!isAcceptedState(state) && isAcceptedState(entries.state(i)))) state = entries.state(i);
  }
  return state;
}

function requireFound(
  entries: EntryColumns,
  members: Uint32Array,
  bytes: Uint8Array,
  settled: ReadonlyMap<number, number>,
): void {
  const shard = decodeShard(bytes);
  for (const i of members) {
    const state = settled.size === 0 ? entries.state(i) : (settled.get(entries.tail(i)) ?? entries.state(i));
    if (entries.find(i, shard) !== state) {
      throw new Error(`the entry of line ${entries.line(i)} is not found in its own shard`);
    }
  }
}
