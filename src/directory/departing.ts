import { concatBytes, toHex } from "./bytes.ts";
import {
  type DepartureColumns,
  decodeDepartures,
  departureBitsFor,
  departureBlobOf,
  departuresOf,
  encodeDepartures,
  HELD,
  INLINE_DEPARTURES,
  MARKED_FOR,
} from "./departures.ts";
import { compareLists, isAcceptedState, type ListContent, type Visit } from "./difference.ts";
import { DirectoryError } from "./errors.ts";
import type { Hashing } from "./hashing.ts";
import { type BlobTable, blobId, ID_BYTES, type ManifestContent } from "./manifest.ts";
import { comparePatterns } from "./pattern-changes.ts";
import { listedPatterns } from "./pattern-table.ts";
import { MAX_TAILS, TailColumn } from "./tail-column.ts";

/** Departures as a manifest names them. */
export type DepartureTable = BlobTable & { readonly count: number };

/** The same as they are made. */
export type NewDepartures = DepartureTable & {
  /** Names that the brake holds. */
  readonly held: number;
};

/** What becomes of earlier departures. */
export interface Keeping {
  /** Seconds for which they stay in the table after their grace, as marks for the brake. */
  readonly marked?: number;
  /** `hold`: all of them are deferred until they are released. `release`: those that are held are dropped. */
  readonly brake?: "hold" | "release" | undefined;
}

export const NO_DEPARTURES: NewDepartures = {
  bits: 0,
  inline: encodeDepartures({ tails: new Float64Array(0), until: new Uint32Array(0) }, 0),
  ids: new Uint8Array(0),
  count: 0,
  held: 0,
};

/** Departures of one generation, past which none is kept after its grace. */
const MOST_MARKED = 1_000_000;

/** The blobs of one domain. */
export interface BlobStore {
  /** Throws if the blob is missing. */
  read(id: string): Uint8Array;
  /** Stores a blob of departures. */
  keep(id: string, bytes: Uint8Array): void;
}

/** A list whose shards are read from its domain's store. */
export const storedList = (store: BlobStore, table: BlobTable): ListContent => ({
  table,
  read: (index) => store.read(blobId(table, index)),
});

/**
 * The departures of a new generation: the names and patterns that leave with it, and earlier departures that are still
 * deferred and have not returned. A departure matters only where the answer would otherwise be unknown. So a name that is
 * accepted again can be dropped: if it leaves later, its grace starts then. A name that returns in a refused state is
 * kept, so that it still has the rest of its grace when it leaves.
 *
 * @param before the previous generation, null if there is none or it cannot be compared
 * @param now Unix milliseconds
 * @param grace seconds
 * @throws DirectoryError `invalid` if more names leave than can be stored
 */
export function departuresAfter(
  store: BlobStore,
  hashing: Hashing,
  before: Pick<ManifestContent, "shards" | "departures" | "patterns"> | null,
  after: ListContent & { readonly patterns: Uint8Array | null },
  now: number,
  grace: number,
  keeping: Keeping = {},
): NewDepartures {
  if (before === null) return NO_DEPARTURES;
  const compare: Compare = (visit) => {
    compareLists(storedList(store, before.shards), after, visit);
    comparePatterns(listedPatterns(before), after.patterns, visit);
  };
  return departuresIn(store, hashing, before.departures, compare, now, grace, new Set(), keeping);
}

/** Visits each name that differs between the previous list and the next one. */
export type Compare = (visit: Visit) => void;

/**
 * The same if only the differences of the two lists are known.
 * @param earlier departures of the previous generation
 * @param atOnce names that get no grace, or no more of it; nor does the brake hold them
 */
export function departuresIn(
  store: BlobStore,
  hashing: Hashing,
  earlier: DepartureTable,
  compare: Compare,
  now: number,
  grace: number,
  atOnce: ReadonlySet<number> = new Set(),
  keeping: Keeping = {},
): NewDepartures {
  const leaving = new TailColumn();
  const carried = new Carried(stillKept(store, earlier, now, keeping), earlier.bits);
  if (grace > 0 || carried.count > 0) {
    for (const tail of atOnce) carried.drop(tail);
    compare((tail, was, is) => {
      if (is < 0) {
        if (grace > 0 && isAcceptedState(was) && !atOnce.has(tail) && !leaving.push(tail)) throw tooMany();
      } else if (isAcceptedState(is)) carried.drop(tail);
    });
  }
  const until = Math.ceil(now / 1000) + grace;
  return pack(store, hashing, merge(carried.rest(), leaving.sorted(), until));
}

/** Departures of the previous generation, without those that returned. */
class Carried {
  readonly count: number;
  readonly #blobs: readonly DepartureColumns[];
  readonly #bits: number;
  /** Which entries returned, by blob. Allocated when the first one does. */
  readonly #dropped = new Map<number, Uint8Array>();

  constructor(blobs: readonly DepartureColumns[], bits: number) {
    this.#blobs = blobs;
    this.#bits = bits;
    this.count = blobs.reduce((sum, { tails }) => sum + tails.length, 0);
  }

  /** Removes a name, if present. */
  drop(tail: number): void {
    const blob = departureBlobOf(tail, this.#bits);
    const { tails } = this.#blobs[blob] as DepartureColumns;
    const at = indexOf(tails, tail);
    if (at < 0) return;
    let dropped = this.#dropped.get(blob);
    if (dropped === undefined) {
      dropped = new Uint8Array(tails.length);
      this.#dropped.set(blob, dropped);
    }
    dropped[at] = 1;
  }

  /** Those that did not return. */
  rest(): DepartureColumns[] {
    return this.#blobs.map((columns, blob) => {
      const dropped = this.#dropped.get(blob);
      if (dropped === undefined) return columns;
      const stays = (_: number, at: number): boolean => dropped[at] === 0;
      return { tails: columns.tails.filter(stays), until: columns.until.filter(stays) };
    });
  }
}

/** Index of a value in a sorted column, or -1. */
function indexOf(sorted: Float64Array, value: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    const found = sorted[middle] as number;
    if (found === value) return middle;
    if (found < value) from = middle + 1;
    else to = middle;
  }
  return -1;
}

const tooMany = (): DirectoryError =>
  new DirectoryError("invalid", `more than ${MAX_TAILS} names leave at once: set grace to 0 for this change`);

/** The columns of each blob of a table. */
export function departureColumns(store: Pick<BlobStore, "read">, table: DepartureTable): DepartureColumns[] {
  const blobs = table.inline === null ? table.ids.length / ID_BYTES : 1;
  return Array.from({ length: blobs }, (_, i) =>
    departuresOf(decodeDepartures(table.inline ?? store.read(blobId(table, i)))),
  );
}

/**
 * Whether the next generation still has a name that left.
 * @param second until which it is deferred
 * @param count names that left, itself included
 */
export const isStillMarked = (second: number, count: number, now: number, marked = MARKED_FOR): boolean =>
  // More marks than that take too much room. Without them, the grace is as long as before.
  (second + (count > MOST_MARKED ? 0 : marked)) * 1000 > now;

function stillKept(
  store: BlobStore,
  departures: DepartureTable,
  now: number,
  { marked = 0, brake }: Keeping,
): DepartureColumns[] {
  const isKept = (second: number): boolean =>
    isStillMarked(second, departures.count, now, marked) && !(brake === "release" && second === HELD);
  return departureColumns(store, departures).map(({ tails, until }) => {
    const rest = until.filter(isKept);
    return {
      tails: tails.filter((_, at) => isKept(until[at] as number)),
      until: brake === "hold" ? rest.fill(HELD) : rest,
    };
  });
}

/** The blobs are in order of their tails, so this merges two sorted runs. */
function merge(carried: readonly DepartureColumns[], leaving: Float64Array, until: number): DepartureColumns {
  const total = carried.reduce((sum, columns) => sum + columns.tails.length, leaving.length);
  const tails = new Float64Array(total);
  const untils = new Uint32Array(total);
  let count = 0;
  const put = (tail: number, second: number): void => {
    if (tails[count - 1] === tail) {
      untils[count - 1] = Math.max(untils[count - 1] as number, second);
      return;
    }
    tails[count] = tail;
    untils[count++] = second;
  };
  let next = 0;
  for (const columns of carried) {
    for (let i = 0; i < columns.tails.length; i++) {
      const tail = columns.tails[i] as number;
      while ((leaving[next] as number) < tail) put(leaving[next++] as number, until);
      put(tail, columns.until[i] as number);
    }
  }
  while (next < leaving.length) put(leaving[next++] as number, until);
  return { tails: tails.subarray(0, count), until: untils.subarray(0, count) };
}

function pack(store: BlobStore, hashing: Hashing, columns: DepartureColumns): NewDepartures {
  const count = columns.tails.length;
  const held = columns.until.reduce((sum, second) => sum + Number(second === HELD), 0);
  if (count <= INLINE_DEPARTURES) {
    return { bits: 0, inline: encodeDepartures(columns, 0), ids: new Uint8Array(0), count, held };
  }
  const bits = departureBitsFor(count);
  const ids: Uint8Array[] = [];
  let from = 0;
  for (let blob = 0; blob < 2 ** bits; blob++) {
    const end = (blob + 1) * 2 ** (48 - bits);
    let to = from;
    while ((columns.tails[to] as number) < end) to++;
    const part = { tails: columns.tails.subarray(from, to), until: columns.until.subarray(from, to) };
    const bytes = encodeDepartures(part, bits);
    const id = hashing.sha256(bytes);
    store.keep(toHex(id), bytes);
    ids.push(id);
    from = to;
  }
  return { bits, inline: null, ids: concatBytes(ids), count, held };
}
