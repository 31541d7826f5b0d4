import type { BlobTable, Counts, ManifestContent } from "../formats/manifest.ts";
import { ACTIVE, decodeShard, type Entries, entriesOf, isAcceptedState } from "../formats/shard.ts";
import { atOnce, type Steps } from "../steps.ts";
import { isSameBlob } from "./same-content.ts";
import { firstFrom } from "./tail-column.ts";

/** One generation's list: its table of shards, and how to read each. */
export interface ListContent {
  readonly table: BlobTable;
  /** Bytes of shard `index`. Called only for shards that are not inline. */
  read(index: number): Uint8Array;
}

/** State of a name before and after; -1 if it is not listed. */
export type Visit = (tail: number, before: number, after: number) => void;

/** How many names differ between two generations of one list. */
export interface Difference {
  added: number;
  removed: number;
  /** Listed in both, with different states. */
  changed: number;
  /** Accepted or deferred before, refused after. This is what the guard counts. */
  lost: number;
}

/** Whether a name was accepted or deferred before, and is not after. States as {@link Visit} has them. */
export const isLost = (before: number, after: number): boolean =>
  isAcceptedState(before) && !isAcceptedState(after);

/**
 * Visits a newly listed name that is refused as one that was accepted, if the list before accepted it without listing it.
 * @param isCovered whether that list did
 */
export const withCovered =
  (visit: Visit, isCovered: (tail: number) => boolean): Visit =>
  (tail, was, is) =>
    visit(tail, was < 0 && !isAcceptedState(is) && isCovered(tail) ? ACTIVE : was, is);

/** How many names a list accepts or defers. */
export const acceptedCount = (counts: Counts): number => counts.active + counts.full;

/** Whether the fingerprints of two generations can be compared. */
export const comparable = (
  a: Pick<ManifestContent, "policy"> & { readonly keyId: string },
  b: Pick<ManifestContent, "policy"> & { readonly keyId: string },
): boolean => a.keyId === b.keyId && a.policy.case === b.policy.case && a.policy.dots === b.policy.dots;

/**
 * Compares two lists made under the same key, case and dots setting. Works shard by shard, so that memory stays bounded
 * by a few shards. Shards with equal ids are not read. The lists may have different numbers of shards.
 *
 * @param visit called for each name whose listing or state differs
 */
export const compareLists = (before: ListContent, after: ListContent, visit?: Visit): Difference =>
  atOnce(compareInSteps(before, after, visit));

/** The same step by step. */
export function* compareInSteps(before: ListContent, after: ListContent, visit?: Visit): Steps<Difference> {
  const difference: Difference = { added: 0, removed: 0, changed: 0, lost: 0 };
  const bits = Math.min(before.table.bits, after.table.bits);
  const note: Visit = (tail, was, is) => {
    if (was < 0) difference.added++;
    else if (is < 0) difference.removed++;
    else difference.changed++;
    if (isLost(was, is)) difference.lost++;
    visit?.(tail, was, is);
  };
  for (let group = 0; group < 2 ** bits; group++) {
    if (isSameBlob(before.table, after.table, group)) continue;
    yield* compareParts(yield* partsOf(before, group, bits), yield* partsOf(after, group, bits), note);
  }
  return difference;
}

/** Every entry of a list, one shard at a time. */
export function* entriesByShard({ table, read }: ListContent): Generator<Entries> {
  for (let index = 0; index < 2 ** table.bits; index++) {
    yield entriesOf(decodeShard(table.inline ?? read(index)));
  }
}

/** Compares the entries of two shards, or of two groups of shards. */
export function compareEntries(before: Entries, after: Entries, visit: Visit): void {
  let i = 0;
  let j = 0;
  while (i < before.tails.length || j < after.tails.length) {
    const left = i < before.tails.length ? (before.tails[i] as number) : Number.POSITIVE_INFINITY;
    const right = j < after.tails.length ? (after.tails[j] as number) : Number.POSITIVE_INFINITY;
    if (left < right) visit(left, before.states[i++] as number, -1);
    else if (right < left) visit(right, -1, after.states[j++] as number);
    else {
      const was = before.states[i++] as number;
      const is = after.states[j++] as number;
      if (was !== is) visit(left, was, is);
    }
  }
}

/** Entries of each shard whose number starts with the bits of `group`. */
function* partsOf(list: ListContent, group: number, bits: number): Steps<Entries[]> {
  const { table } = list;
  const each = 2 ** (table.bits - bits);
  const parts: Entries[] = [];
  for (let index = group * each; index < (group + 1) * each; index++) {
    const entries = entriesOf(decodeShard(table.inline ?? list.read(index)));
    parts.push(entries);
    yield entries.tails.length;
  }
  return parts;
}

/** Ranges of tails by which many shards are compared with few, at most. */
const MOST_RANGES = 256;

/** Compares the entries of two groups of shards, one range of tails after the other. */
function* compareParts(before: readonly Entries[], after: readonly Entries[], visit: Visit): Steps<void> {
  const ranges = Math.min(MOST_RANGES, Math.max(before.length, after.length));
  for (let range = 0; range < ranges; range++) {
    const [left, right] = [before, after].map((parts) =>
      mergeEntries(parts.map((part) => within(part, range, ranges))),
    );
    compareEntries(left as Entries, right as Entries, visit);
    yield (left as Entries).tails.length;
  }
}

/** Entries within one of so many ranges of tails. */
function within({ tails, states }: Entries, range: number, ranges: number): Entries {
  if (ranges === 1) return { tails, states };
  const [from, to] = [range, range + 1].map((at) => firstFrom(tails, Math.ceil((at * 2 ** 48) / ranges)));
  return { tails: tails.subarray(from, to), states: states.subarray(from, to) };
}

function mergeEntries(parts: readonly Entries[]): Entries {
  if (parts.length === 1) return parts[0] as Entries;
  const total = parts.reduce((sum, part) => sum + part.tails.length, 0);
  // Tail and state as one exact number of 50 bits, so that the native sort can merge.
  const joined = new Float64Array(total);
  let at = 0;
  for (const { tails, states } of parts) {
    for (let i = 0; i < tails.length; i++) joined[at++] = (tails[i] as number) * 4 + (states[i] as number);
  }
  joined.sort();
  return {
    tails: joined.map((value) => Math.floor(value / 4)),
    states: Uint8Array.from(joined, (value) => value % 4),
  };
}
