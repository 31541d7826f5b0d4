/** Changes of single mailboxes in a list whose names are known by their fingerprints only. */

import { FINGERPRINT_BYTES } from "../address/fingerprint.ts";
import { concatBytes, toHex } from "../bytes.ts";
import { damaged } from "../errors.ts";
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

/** A name that single changes changed, as the publisher of its list gets it. */
export interface OpenName extends PatchedName {
  /** Whether it was refused with `--now`: then it stays so until a list that does not accept it settles that. */
  readonly atOnce?: boolean;
}

/** Bytes of one name: fingerprint, state before, state now; {@link UNLISTED} is 255. */
const PATCHED_BYTES = FINGERPRINT_BYTES + 2;

export const encodePatched = (names: readonly PatchedName[]): Uint8Array =>
  concatBytes(
    names.map(({ fingerprint, was, state }) => concatBytes([fingerprint, Uint8Array.of(was, state)])),
  );

/** Fingerprints alone, one after the other. */
export const encodePrints = (names: readonly Pick<PatchedName, "fingerprint">[]): Uint8Array =>
  concatBytes(names.map(({ fingerprint }) => fingerprint));

/** @param atOnce fingerprints of those that were refused with `--now` @throws DirectoryError `damaged` */
export function decodePatched(bytes: Uint8Array, atOnce: Uint8Array = new Uint8Array(0)): OpenName[] {
  if (bytes.length % PATCHED_BYTES !== 0) throw damaged(`changed names of ${bytes.length} bytes`);
  if (atOnce.length % FINGERPRINT_BYTES !== 0) throw damaged(`names of ${atOnce.length} bytes`);
  const refused = new Set(
    Array.from({ length: atOnce.length / FINGERPRINT_BYTES }, (_, i) =>
      toHex(atOnce.slice(i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES)),
    ),
  );
  return Array.from({ length: bytes.length / PATCHED_BYTES }, (_, i) => {
    const at = i * PATCHED_BYTES;
    const fingerprint = bytes.slice(at, at + FINGERPRINT_BYTES);
    const [was, state] = new Int8Array(bytes.slice(at + FINGERPRINT_BYTES, at + PATCHED_BYTES));
    const name = { fingerprint, was: was as number, state: state as number };
    return refused.has(toHex(fingerprint)) ? { ...name, atOnce: true } : name;
  });
}

/** A name that a list has as single changes made it, although its publisher says otherwise. */
export interface KeptName {
  readonly fingerprint: Uint8Array;
  /** Its state by the publisher, {@link UNLISTED} if that does not list it. */
  readonly listed: number;
}

/** Bytes of one kept name: fingerprint, state by the publisher. */
const KEPT_BYTES = FINGERPRINT_BYTES + 1;

export const encodeKept = (names: readonly KeptName[]): Uint8Array =>
  concatBytes(names.map(({ fingerprint, listed }) => concatBytes([fingerprint, Uint8Array.of(listed)])));

/** @throws DirectoryError `damaged` */
export function decodeKept(bytes: Uint8Array): KeptName[] {
  if (bytes.length % KEPT_BYTES !== 0) throw damaged(`kept names of ${bytes.length} bytes`);
  return Array.from({ length: bytes.length / KEPT_BYTES }, (_, i) => {
    const name = bytes.slice(i * KEPT_BYTES, (i + 1) * KEPT_BYTES);
    const [listed] = new Int8Array(name.slice(FINGERPRINT_BYTES));
    return { fingerprint: name.slice(0, FINGERPRINT_BYTES), listed: listed as number };
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
