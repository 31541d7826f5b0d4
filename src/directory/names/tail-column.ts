import { fromBase64Url } from "../bytes.ts";
import { type DirectoryError, damaged } from "../errors.ts";
import { STEP_NAMES, type Steps } from "../steps.ts";

/** The most tails that one change may name: more would not fit into the memory of the Durable Object. */
export const MAX_TAILS = 2_500_000;

/** A growing column of tails. */
export class TailColumn {
  readonly #limit: number;
  #values = new Float64Array(256);
  #length = 0;

  constructor(limit = MAX_TAILS) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds a tail; false if the limit is reached. */
  push(tail: number): boolean {
    if (this.#length === this.#limit) return false;
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = tail;
    return true;
  }

  /** The tails in the order in which they were added. */
  all(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }

  /** The tails in ascending order. */
  *sorted(): Steps<Float64Array> {
    return yield* sortInSteps(this.all());
  }
}

/** Sorts pieces and merges them, so that no step is longer than others, whatever the values are. */
function* sortInSteps(values: Float64Array): Steps<Float64Array> {
  for (let from = 0; from < values.length; from += STEP_NAMES) {
    const piece = values.subarray(from, from + STEP_NAMES).sort();
    yield piece.length / 8;
  }
  let merged = values;
  let other = values.length > STEP_NAMES ? new Float64Array(values.length) : values;
  for (let run = STEP_NAMES; run < values.length; run *= 2) {
    for (let from = 0; from < values.length; from += 2 * run) {
      yield* mergeRuns(merged, other, from, from + run, from + 2 * run);
    }
    [merged, other] = [other, merged];
  }
  return merged;
}

/** Merges two sorted pieces that follow each other. */
function* mergeRuns(
  source: Float64Array,
  target: Float64Array,
  from: number,
  middle: number,
  end: number,
): Steps<void> {
  const to = Math.min(end, source.length);
  let [left, right] = [from, middle];
  for (let at = from; at < to; ) {
    for (const stop = Math.min(to, at + STEP_NAMES); at < stop; at++) {
      const isLeft = right >= to || (left < middle && (source[left] as number) <= (source[right] as number));
      target[at] = source[isLeft ? left++ : right++] as number;
    }
    yield STEP_NAMES / 16;
  }
}

/** Index of the first of ascending tails that is not below `tail`. */
export function firstFrom(tails: Float64Array, tail: number): number {
  let low = 0;
  let high = tails.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tails[middle] as number) < tail) low = middle + 1;
    else high = middle;
  }
  return low;
}

const TAIL_BYTES = 6;

/** Encodes tails, 6 bytes each, big-endian. */
export function encodeTails(tails: Float64Array): Uint8Array {
  const bytes = new Uint8Array(TAIL_BYTES * tails.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < tails.length; i++) {
    const tail = tails[i] as number;
    view.setUint16(TAIL_BYTES * i, Math.floor(tail / 2 ** 32));
    view.setUint32(TAIL_BYTES * i + 2, tail % 2 ** 32);
  }
  return bytes;
}

/** Characters of one tail in base64url. */
const TAIL_CHARS = 8;

/** The same from base64url, step by step. @throws DirectoryError `damaged` or `invalid` */
export function* readTails(text: string): Steps<Float64Array> {
  if (text.length % TAIL_CHARS !== 0)
    throw damaged(`tails of ${text.length} characters: each has ${TAIL_CHARS}`);
  const all = new Float64Array(text.length / TAIL_CHARS);
  for (let from = 0; from < all.length; from += STEP_NAMES) {
    const part = text.slice(TAIL_CHARS * from, TAIL_CHARS * (from + STEP_NAMES));
    const tails = decodeTails(fromBase64Url(part));
    if (from > 0 && (tails[0] as number) < (all[from - 1] as number)) throw notInOrder();
    all.set(tails, from);
    yield tails.length / 4;
  }
  return all;
}

const notInOrder = (): DirectoryError => damaged("tails are not in order");

/** @throws DirectoryError `damaged` if they are truncated or not in ascending order */
export function decodeTails(bytes: Uint8Array): Float64Array {
  if (bytes.length % TAIL_BYTES !== 0)
    throw damaged(`tails of ${bytes.length} bytes: each has ${TAIL_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tails = new Float64Array(bytes.length / TAIL_BYTES);
  for (let i = 0; i < tails.length; i++) {
    tails[i] = view.getUint16(TAIL_BYTES * i) * 2 ** 32 + view.getUint32(TAIL_BYTES * i + 2);
    if (i > 0 && (tails[i] as number) < (tails[i - 1] as number)) throw notInOrder();
  }
  return tails;
}
