import { concatBytes, toHex } from "./bytes.ts";
import {
  type DepartureColumns,
  decodeDepartures,
  departureBitsFor,
  departureBlobOf,
  departuresOf,
  encodeDepartures,
  INLINE_DEPARTURES,
} from "./departures.ts";
import { compareLists, isAcceptedState, type ListContent } from "./difference.ts";
import { DirectoryError } from "./errors.ts";
import type { Hashing } from "./hashing.ts";
import { type BlobTable, blobId, ID_BYTES, type ManifestContent } from "./manifest.ts";
import { MAX_TAILS, TailColumn } from "./tail-column.ts";

/** Departures as a manifest names them. */
export type DepartureTable = BlobTable & { readonly count: number };

export const NO_DEPARTURES: DepartureTable = {
  bits: 0,
  inline: encodeDepartures({ tails: new Float64Array(0), until: new Uint32Array(0) }, 0),
  ids: new Uint8Array(0),
  count: 0,
};

/** Where the blobs of one domain lie. */
export interface BlobStore {
  /** Throws where the blob is lost. */
  read(id: string): Uint8Array;
  /** Keeps a blob of departures. */
  keep(id: string, bytes: Uint8Array): void;
}

/** A list as its domain's store holds it. */
export const storedList = (store: BlobStore, table: BlobTable): ListContent => ({
  table,
  read: (index) => store.read(blobId(table, index)),
});

/**
 * Names that leave with a new list, and those on their way from before that are still deferred and have not come back.
 * They apply only where the answer would be unknown otherwise: a name that the list accepts again loses nothing by
 * going from among them, and if it leaves again, it is deferred from then on. One that comes back in a state that is
 * refused stays, so that it keeps what is left of its time when it goes.
 *
 * @param before the generation that is left, null where it cannot be compared or there was none
 * @param now Unix milliseconds
 * @param grace seconds
 * @throws DirectoryError `invalid` where more names leave than can be kept
 */
export function departuresAfter(
  store: BlobStore,
  hashing: Hashing,
  before: Pick<ManifestContent, "shards" | "departures"> | null,
  after: ListContent,
  now: number,
  grace: number,
): DepartureTable {
  if (before === null) return NO_DEPARTURES;
  const leaving = new TailColumn();
  const carried = new Carried(stillDeferred(store, before.departures, now), before.departures.bits);
  if (grace > 0 || carried.count > 0) {
    compareLists(storedList(store, before.shards), after, (tail, was, is) => {
      if (is < 0) {
        if (grace > 0 && isAcceptedState(was) && !leaving.push(tail)) throw tooMany();
      } else if (isAcceptedState(is)) carried.drop(tail);
    });
  }
  const until = Math.ceil(now / 1000) + grace;
  return pack(store, hashing, merge(carried.rest(), leaving.sorted(), until));
}

/** Departures of the generation before, of which those go that came back. */
class Carried {
  readonly count: number;
  readonly #blobs: readonly DepartureColumns[];
  readonly #bits: number;
  /** By blob, which entries came back; made when the first one does. */
  readonly #dropped = new Map<number, Uint8Array>();

  constructor(blobs: readonly DepartureColumns[], bits: number) {
    this.#blobs = blobs;
    this.#bits = bits;
    this.count = blobs.reduce((sum, { tails }) => sum + tails.length, 0);
  }

  /** Takes a name out, if it is among them. */
  drop(tail: number): void {
    if (this.count === 0) return;
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

  /** Those that did not come back. */
  rest(): DepartureColumns[] {
    return this.#blobs.map((columns, blob) => {
      const dropped = this.#dropped.get(blob);
      if (dropped === undefined) return columns;
      const stays = (_: number, at: number): boolean => dropped[at] === 0;
      return { tails: columns.tails.filter(stays), until: columns.until.filter(stays) };
    });
  }
}

/** Where a sorted column holds a value, or -1. */
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
  new DirectoryError(
    "invalid",
    `more than ${MAX_TAILS} names leave at once; set the grace to 0 for this change`,
  );

function stillDeferred(store: BlobStore, departures: DepartureTable, now: number): DepartureColumns[] {
  const blobs = departures.inline === null ? departures.ids.length / ID_BYTES : 1;
  return Array.from({ length: blobs }, (_, i) => {
    const bytes = departures.inline ?? store.read(blobId(departures, i));
    const { tails, until } = departuresOf(decodeDepartures(bytes));
    const open = (_: number, at: number): boolean => (until[at] as number) * 1000 > now;
    return { tails: tails.filter(open), until: until.filter((second) => second * 1000 > now) };
  });
}

/** Blobs follow each other in the order of their tails, so two runs are merged. */
function merge(carried: readonly DepartureColumns[], leaving: Float64Array, until: number): DepartureColumns {
  const total = carried.reduce((sum, columns) => sum + columns.tails.length, leaving.length);
  const tails = new Float64Array(total);
  const untils = new Uint32Array(total);
  let count = 0;
  const put = (tail: number, second: number): void => {
    if (count > 0 && tails[count - 1] === tail) {
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
      while (next < leaving.length && (leaving[next] as number) < tail) put(leaving[next++] as number, until);
      put(tail, columns.until[i] as number);
    }
  }
  while (next < leaving.length) put(leaving[next++] as number, until);
  return { tails: tails.subarray(0, count), until: untils.subarray(0, count) };
}

function pack(store: BlobStore, hashing: Hashing, columns: DepartureColumns): DepartureTable {
  const count = columns.tails.length;
  if (count <= INLINE_DEPARTURES) {
    return { bits: 0, inline: encodeDepartures(columns, 0), ids: new Uint8Array(0), count };
  }
  const bits = departureBitsFor(count);
  const ids: Uint8Array[] = [];
  let from = 0;
  for (let blob = 0; blob < 2 ** bits; blob++) {
    const end = (blob + 1) * 2 ** (48 - bits);
    let to = from;
    while (to < count && (columns.tails[to] as number) < end) to++;
    const part = { tails: columns.tails.subarray(from, to), until: columns.until.subarray(from, to) };
    const bytes = encodeDepartures(part, bits);
    const id = hashing.sha256(bytes);
    store.keep(toHex(id), bytes);
    ids.push(id);
    from = to;
  }
  return { bits, inline: null, ids: concatBytes(ids), count };
}
