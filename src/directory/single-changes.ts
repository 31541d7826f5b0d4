/** Changes of single mailboxes in a list whose names are known by their fingerprints only. */
import { concatBytes } from "./bytes.ts";
import { damaged } from "./errors.ts";
import { FINGERPRINT_BYTES } from "./fingerprint.ts";
import type { Counts } from "./manifest.ts";
import { countStates, decodeShard, encodeShard, entriesOf } from "./shard.ts";

/** State of a name that is not listed. */
export const UNLISTED = -1;

/** A name, by its fingerprint, and the state that it gets: an index into `ENTRY_STATES`, or {@link UNLISTED}. */
export type SingleChange = readonly [fingerprint: Uint8Array, state: number];

/** A name that single changes changed since its list was published. */
export interface PatchedName {
  /** Its full fingerprint: a shard has the tail alone, from which a list of more shards cannot be made. */
  readonly fingerprint: Uint8Array;
  /** Its state in the list that was published, {@link UNLISTED} if it had none. */
  readonly was: number;
  readonly state: number;
}

/** Bytes of one name: fingerprint, state before, state now; {@link UNLISTED} is 255. */
const PATCHED_BYTES = FINGERPRINT_BYTES + 2;

export const encodePatched = (names: readonly PatchedName[]): Uint8Array =>
  concatBytes(
    names.map(({ fingerprint, was, state }) => concatBytes([fingerprint, Uint8Array.of(was, state)])),
  );

/** @throws DirectoryError `damaged` */
export function decodePatched(bytes: Uint8Array): PatchedName[] {
  if (bytes.length % PATCHED_BYTES !== 0) throw damaged(`changed names of ${bytes.length} bytes`);
  return Array.from({ length: bytes.length / PATCHED_BYTES }, (_, i) => {
    const at = i * PATCHED_BYTES;
    const fingerprint = bytes.slice(at, at + FINGERPRINT_BYTES);
    const [was, state] = new Int8Array(bytes.slice(at + FINGERPRINT_BYTES, at + PATCHED_BYTES));
    return { fingerprint, was: was as number, state: state as number };
  });
}

/** The fingerprint at the start of a digest, as a copy of its own. */
export const fingerprintIn = (digest: Uint8Array): Uint8Array => digest.slice(0, FINGERPRINT_BYTES);

/** A change of a name, by its place in a list. */
export interface PlacedChange {
  readonly shard: number;
  readonly tail: number;
  readonly state: number;
}

/** New states by tail, for each shard that changes. Of several changes of one name the last counts. */
export function changesByShard(
  changes: readonly PlacedChange[],
): ReadonlyMap<number, ReadonlyMap<number, number>> {
  const byShard = new Map<number, Map<number, number>>();
  for (const { shard, tail, state } of changes) {
    const states = byShard.get(shard) ?? new Map<number, number>();
    byShard.set(shard, states.set(tail, state));
  }
  return byShard;
}

/** The counts of a list in which a shard takes the place of another. @param counts of the list with the shard before */
export function recount(counts: Counts, before: Uint8Array, after: Uint8Array): Counts {
  const went = countStates(decodeShard(before));
  const came = countStates(decodeShard(after));
  return {
    active: counts.active - went[0] + came[0],
    disabled: counts.disabled - went[1] + came[1],
    full: counts.full - went[2] + came[2],
    moved: counts.moved - went[3] + came[3],
  };
}

/**
 * The bytes of a shard after changes.
 * @param changes new states by tail
 * @throws RangeError if it would have more entries than a shard can hold
 */
export function changedShard(bytes: Uint8Array, changes: ReadonlyMap<number, number>): Uint8Array {
  const shard = decodeShard(bytes);
  const before = entriesOf(shard);
  const changed = [...changes.keys()].sort((a, b) => a - b);
  const tails = new Float64Array(before.tails.length + changed.length);
  const states = new Uint8Array(tails.length);
  let count = 0;
  const put = (tail: number, state: number): void => {
    if (state === UNLISTED) return;
    tails[count] = tail;
    states[count++] = state;
  };
  let at = 0;
  for (const tail of changed) {
    for (; (before.tails[at] as number) < tail; at++)
      put(before.tails[at] as number, before.states[at] as number);
    if (before.tails[at] === tail) at++;
    put(tail, changes.get(tail) as number);
  }
  for (; at < before.tails.length; at++) put(before.tails[at] as number, before.states[at] as number);
  const entries = { tails: tails.subarray(0, count), states: states.subarray(0, count) };
  return encodeShard(entries, shard.bits, shard.index);
}
