/** Adds a commit's names to the guard's spans, and adjusts the counts of the lists that lose or regain them. */

import type { NameChanges } from "../names/name-changes.ts";
import { STEP_NAMES, type Steps } from "../steps.ts";
import type { GuardedList } from "./guarded-lists.ts";
import { decodeSpans, encodeSpans, type NameSpans, OPEN, type Span } from "./name-spans.ts";

/** Spans planned for one bucket, and how many buckets there may be: 2.5 million spans in all. */
const BUCKET_SPANS = 8_192;
const MAX_BITS = 8;
const MAX_BUCKET_SPANS = 9_766;

/** The store of a ledger's spans: 2^bits buckets, chosen by the top bits of the tail. */
export interface SpanBuckets {
  readonly bits: number;
  /** Number of stored spans. */
  count(): number;
  /** Null if the bucket is empty. */
  read(bucket: number): Uint8Array | null;
  /**
   * Stores a bucket; null empties it.
   * @param newest once the day's oldest list has this generation or a later one, the bucket's spans are not needed
   */
  write(bucket: number, bytes: Uint8Array | null, spans: number, newest: number): void;
  /** Sets the number of buckets to 2^bits. Their content is written separately. */
  split(bits: number): void;
}

/** What a commit means for the spans. */
export interface SpanStep {
  readonly generation: number;
  readonly changes: NameChanges;
  /** Whether the names that go are refused by an override. */
  readonly forced: boolean;
}

/** What a commit adds to the count of each list. */
export class Charges {
  readonly #lists: readonly GuardedList[];
  readonly #steps: Float64Array;
  #sums: Float64Array | null = null;

  constructor(lists: readonly GuardedList[]) {
    this.#lists = lists;
    this.#steps = new Float64Array(lists.length + 1);
  }

  /** Adds `names` to the count of each list of a span. */
  add({ from, to }: Span, names: number): void {
    this.#steps[this.#firstFrom(from)] = (this.#steps[this.#firstFrom(from)] as number) + names;
    this.#steps[this.#firstFrom(to)] = (this.#steps[this.#firstFrom(to)] as number) - names;
  }

  of(list: number): number {
    if (this.#sums === null) {
      let sum = 0;
      this.#sums = this.#steps.map((step) => {
        sum += step;
        return sum;
      });
    }
    return this.#sums[list] as number;
  }

  /** Whether a list of the day is within a span. */
  has({ from, to }: Span): boolean {
    return this.#firstFrom(from) < this.#firstFrom(to);
  }

  /** Index of the first list whose generation is not below `generation`. */
  #firstFrom(generation: number): number {
    let low = 0;
    let high = this.#lists.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lists[middle] as GuardedList).generation < generation) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Updates the spans and the charges with a commit.
 * @param day lists of the day, the oldest first
 */
export function* updateSpans(
  buckets: SpanBuckets,
  day: readonly GuardedList[],
  charges: Charges,
  step: SpanStep,
): Steps<void> {
  const { gone, back } = step.changes;
  yield* makeBuckets(buckets, gone.length + back.length);
  const bits = buckets.bits;
  const oldest = day[0]?.generation ?? step.generation;
  const parts = [0, 0];
  for (let bucket = 0; bucket < 2 ** bits; bucket++) {
    const end = (bucket + 1) * 2 ** (48 - bits);
    const [goneHere, backHere] = [gone, back].map((tails, i) => {
      const from = parts[i] as number;
      let to = from;
      while (to < tails.length && (tails[to] as number) < end) to++;
      parts[i] = to;
      return tails.subarray(from, to);
    }) as [Float64Array, Float64Array];
    if (goneHere.length + backHere.length === 0) continue;
    const bytes = buckets.read(bucket);
    const names = bytes === null ? [] : decodeSpans(bytes);
    const changed = yield* changeNames(names, goneHere, backHere, charges, step);
    writeBucket(buckets, bucket, yield* withinLimit(changed, oldest, charges));
  }
}

/** Splits into more buckets if the planned number of spans no longer fits. */
function* makeBuckets(buckets: SpanBuckets, more: number): Steps<void> {
  const count = buckets.count();
  const bits = Math.min(MAX_BITS, Math.max(0, Math.ceil(Math.log2((count + more) / BUCKET_SPANS))));
  if (bits <= buckets.bits) return;
  const each = 2 ** (bits - buckets.bits);
  // From the last one down, so that no bucket is overwritten before it was read.
  for (let old = 2 ** buckets.bits - 1; old >= 0; old--) {
    const bytes = buckets.read(old);
    if (bytes === null) continue;
    const names = decodeSpans(bytes);
    yield names.length;
    buckets.write(old, null, 0, 0);
    for (let bucket = old * each; bucket < (old + 1) * each; bucket++) {
      const own = names.filter(({ tail }) => Math.floor(tail / 2 ** (48 - bits)) === bucket);
      writeBucket(buckets, bucket, own);
    }
  }
  buckets.split(bits);
}

function writeBucket(buckets: SpanBuckets, bucket: number, names: readonly NameSpans[]): void {
  if (names.length === 0) {
    buckets.write(bucket, null, 0, 0);
    return;
  }
  let spans = 0;
  let newest = 0;
  for (const name of names) {
    spans += name.spans.length;
    for (const { from, to } of name.spans) newest = Math.max(newest, to === OPEN ? from : to);
  }
  buckets.write(bucket, encodeSpans(names), spans, newest);
}

/** Merges a bucket's names with those that go and those that return, all sorted by tail. */
function* changeNames(
  names: readonly NameSpans[],
  gone: Float64Array,
  back: Float64Array,
  charges: Charges,
  step: SpanStep,
): Steps<NameSpans[]> {
  const after: NameSpans[] = [];
  let [i, j, k, paused] = [0, 0, 0, 0];
  while (i < names.length || j < gone.length || k < back.length) {
    const tail = Math.min(names[i]?.tail ?? Infinity, gone[j] ?? Infinity, back[k] ?? Infinity);
    let name = names[i]?.tail === tail ? (names[i++] as NameSpans) : null;
    // Two names of one list may share a tail by chance, so a tail may occur more than once.
    while (gone[j] === tail) {
      name = goName(name, tail, charges, step);
      j++;
    }
    while (back[k] === tail) {
      name = comeName(name, tail, charges, step);
      k++;
    }
    if (name !== null) after.push(name);
    // A bucket has few of the names that lists have, but a plan may name any.
    if (i + j + k >= paused + STEP_NAMES) {
      yield i + j + k - paused;
      paused = i + j + k;
    }
  }
  yield i + j + k - paused;
  return after;
}

/** A name is refused from now on: all lists that accept it are charged, unless an override removes it from them. */
function goName(
  name: NameSpans | null,
  tail: number,
  charges: Charges,
  { generation, forced }: SpanStep,
): NameSpans | null {
  if (forced) return null;
  const spans = closed(name, generation);
  for (const span of spans) charges.add(span, 1);
  return { tail, spans };
}

function closed(name: NameSpans | null, generation: number): readonly Span[] {
  const always = [{ from: 0, to: generation }];
  if (name === null) return always;
  const last = name.spans.at(-1) as Span;
  // Already gone: this is another name with the same tail, whose spans are not known.
  if (last.to !== OPEN) return always;
  return [...name.spans.slice(0, -1), { from: last.from, to: generation }];
}

/** A name is accepted from now on: the lists that lost it have it again. */
function comeName(
  name: NameSpans | null,
  tail: number,
  charges: Charges,
  { generation }: SpanStep,
): NameSpans {
  const open = { from: generation, to: OPEN };
  if (name === null) return { tail, spans: [open] };
  if ((name.spans.at(-1) as Span).to === OPEN) return name;
  for (const span of name.spans) charges.add(span, -1);
  return { tail, spans: [...name.spans, open] };
}

/** Drops spans that no list of the day needs. Past the limit, drops more, but only so that counts become too high. */
function* withinLimit(
  names: readonly NameSpans[],
  oldest: number,
  charges: Charges,
): Steps<readonly NameSpans[]> {
  const needed = yield* mapped(names, (name) => {
    const spans = name.spans.filter(({ to }) => to > oldest);
    const first = spans[0];
    // Accepted throughout the day, like a name without spans.
    if (first === undefined || (first.to === OPEN && first.from <= oldest)) return null;
    return { tail: name.tail, spans: joined(spans, charges) };
  });
  if (spansOf(needed) <= MAX_BUCKET_SPANS) return needed;
  const merged = yield* mapped(needed, (name) => mergeSpans(name, charges));
  if (merged.length <= MAX_BUCKET_SPANS) return merged;
  // An accepted name without spans counts as one of all lists. A name that is gone stays counted.
  const isGone = ({ spans }: NameSpans): boolean => (spans.at(-1) as Span).to !== OPEN;
  return merged.filter(isGone).slice(0, MAX_BUCKET_SPANS);
}

/** What `map` makes of each name; null drops it. */
function* mapped(
  names: readonly NameSpans[],
  map: (name: NameSpans) => NameSpans | null,
): Steps<NameSpans[]> {
  const all: NameSpans[] = [];
  for (let from = 0; from < names.length; from += STEP_NAMES) {
    for (const name of names.slice(from, from + STEP_NAMES)) {
      const made = map(name);
      if (made !== null) all.push(made);
    }
    // These were counted when they changed.
    if (from > 0) yield STEP_NAMES;
  }
  return all;
}

const spansOf = (names: readonly NameSpans[]): number =>
  names.reduce((sum, { spans }) => sum + spans.length, 0);

/** Joins spans that have no list of the day between them. */
function joined(spans: readonly Span[], charges: Charges): readonly Span[] {
  if (spans.length < 2) return spans;
  const joint: Span[] = [];
  for (const span of spans) {
    const last = joint.at(-1);
    if (last === undefined || charges.has({ from: last.to, to: span.from })) joint.push(span);
    else joint[joint.length - 1] = { from: last.from, to: span.to };
  }
  return joint;
}

/** Replaces many spans with one, so that the name also counts for the lists between them. */
function mergeSpans({ tail, spans }: NameSpans, charges: Charges): NameSpans {
  const { from } = spans[0] as Span;
  const { to } = spans.at(-1) as Span;
  if (to !== OPEN) {
    for (let i = 1; i < spans.length; i++) {
      charges.add({ from: (spans[i - 1] as Span).to, to: (spans[i] as Span).from }, 1);
    }
  }
  return { tail, spans: [{ from, to }] };
}
