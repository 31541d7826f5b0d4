import { concatBytes, toHex } from "../bytes.ts";
import { DirectoryError } from "../errors.ts";
import {
  type DepartureColumns,
  decodeDepartures,
  departureBitsFor,
  departureBlobOf,
  departuresOf,
  encodeDepartures,
  HELD,
  INLINE_DEPARTURES,
  type LeaverGroups,
} from "../formats/departures.ts";
import { type BlobTable, blobId, ID_BYTES, type ManifestContent } from "../formats/manifest.ts";
import { listedPatterns } from "../formats/pattern-table.ts";
import { isAcceptedState } from "../formats/shard.ts";
import type { Hashing } from "../hashing.ts";
import { STEP_NAMES, type Steps } from "../steps.ts";
import { type Coverage, NO_COVERAGE, visitCovered } from "./coverage.ts";
import { compareInSteps, isLost, type ListContent } from "./difference.ts";
import {
  deferredUntil,
  groupDepartures,
  groupOf,
  type NewLeavers,
  NO_GROUPS,
  smallestLarge,
} from "./leaver-groups.ts";
import type { Compare } from "./name-changes.ts";
import { compareCovered } from "./pattern-changes.ts";
import { firstFrom, MAX_TAILS, TailColumn } from "./tail-column.ts";

/** Departures as a manifest names them. */
export type DepartureTable = ManifestContent["departures"];

/** What becomes of earlier departures. */
export interface Keeping {
  /** Seconds for which they stay in the table after their grace, as marks for the brake. */
  readonly marked?: number;
  /** `hold`: all of them are deferred until they are released. `release`: those that are held are dropped. */
  readonly brake?: "hold" | "release" | undefined;
  /** Names that the new list accepts. */
  readonly accepted?: number;
}

/** Departures of one generation, past which none is kept after its grace. */
const MOST_MARKED = 1_000_000;

/** The blobs of one domain. */
export interface BlobStore {
  /** Throws if the blob is missing. */
  read(id: string): Uint8Array;
  /** Stores a blob of departures. */
  keep(id: string, bytes: Uint8Array): void;
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
    this.#dropIf(tail, () => true);
  }

  /** Removes a name that the brake holds. @returns whether it held it */
  dropHeld(tail: number): boolean {
    return this.#dropIf(tail, (second) => second === HELD);
  }

  #dropIf(tail: number, isMeant: (second: number) => boolean): boolean {
    const blob = departureBlobOf(tail, this.#bits);
    const { tails, until } = this.#blobs[blob] as DepartureColumns;
    const at = firstFrom(tails, tail);
    if (tails[at] !== tail || !isMeant(until[at] as number)) return false;
    let dropped = this.#dropped.get(blob);
    if (dropped === undefined) {
      dropped = new Uint8Array(tails.length);
      this.#dropped.set(blob, dropped);
    }
    dropped[at] = 1;
    return true;
  }

  /** Seconds until the last of them, returned or not, is deferred no more. */
  rest(now: number): number {
    return Math.max(0, lastSecond(this.#blobs) - Math.ceil(now / 1000));
  }

  /** Those that did not return. */
  *gone(): Steps<DepartureColumns> {
    const blobs: DepartureColumns[] = [];
    for (const [blob, columns] of this.#blobs.entries()) {
      const dropped = this.#dropped.get(blob);
      const stays = (_: number, at: number): boolean => dropped?.[at] === 0;
      blobs.push(
        dropped === undefined
          ? columns
          : { tails: columns.tails.filter(stays), until: columns.until.filter(stays) },
      );
      if (dropped !== undefined) yield columns.tails.length;
    }
    return joined(blobs);
  }
}

/** The last second until which one of them is deferred, or was; 0 if none was. Held ones do not count. */
export function lastSecond(blobs: readonly DepartureColumns[]): number {
  let last = 0;
  for (const { until } of blobs)
    for (const second of until) if (second !== HELD) last = Math.max(last, second);
  return last;
}

/** The columns of each blob of a table. */
export const departureColumns = (
  store: Pick<BlobStore, "read">,
  table: DepartureTable,
): DepartureColumns[] => [...eachBlob(store, table)];

function* eachBlob(
  store: Pick<BlobStore, "read">,
  { inline, ids, ...table }: DepartureTable,
): Generator<DepartureColumns> {
  const blobs = inline === null ? ids.length / ID_BYTES : 1;
  for (let i = 0; i < blobs; i++) {
    yield departuresOf(decodeDepartures(inline ?? store.read(blobId({ ...table, inline, ids }, i))));
  }
}

/**
 * Whether the next generation still has names that are deferred until a second, or were. More marks than a million take too much
 * room: then the largest groups end with their grace, and no purge ends the marks of others.
 * @param marked seconds for which they stay after that
 */
function isStillKept(
  { count, groups }: DepartureTable,
  now: number,
  marked: number,
): (second: number) => boolean {
  const { grid, groups: all } = groups ?? NO_GROUPS;
  let room = MOST_MARKED;
  const ended = new Set<number>();
  for (const { id, gone } of [...all].sort((a, b) => a.gone - b.gone)) {
    room -= gone;
    if (room < 0) ended.add(id);
  }
  const hasRoom = (second: number): boolean =>
    all.length === 0 ? count <= MOST_MARKED : !ended.has(groupOf(second, grid));
  return (second) => (second + (marked > 0 && hasRoom(second) ? marked : 0)) * 1000 > now;
}

/** The columns of each blob of earlier departures, without those that are over. */
function* stillKept(
  store: BlobStore,
  departures: DepartureTable,
  now: number,
  { marked = 0, brake }: Keeping,
): Steps<DepartureColumns[]> {
  const isStill = isStillKept(departures, now, marked);
  // Many names have few seconds.
  const known = new Map<number, boolean>();
  const isKept = (second: number): boolean => {
    let is = known.get(second);
    if (is === undefined) {
      is = second === HELD ? brake !== "release" : isStill(second);
      known.set(second, is);
    }
    return is;
  };
  const kept: DepartureColumns[] = [];
  for (const { tails, until } of eachBlob(store, departures)) {
    const rest = until.filter(isKept);
    kept.push({
      tails: rest.length === tails.length ? tails : tails.filter((_, at) => isKept(until[at] as number)),
      until: brake === "hold" ? rest.fill(HELD) : rest,
    });
    yield tails.length;
  }
  return kept;
}
/** The blobs are in order of their tails. */
function joined(blobs: readonly DepartureColumns[]): DepartureColumns {
  const [only] = blobs;
  if (blobs.length === 1) return only as DepartureColumns;
  const count = blobs.reduce((sum, { tails }) => sum + tails.length, 0);
  const all = { tails: new Float64Array(count), until: new Uint32Array(count) };
  let at = 0;
  for (const { tails, until } of blobs) {
    all.tails.set(tails, at);
    all.until.set(until, at);
    at += tails.length;
  }
  return all;
}

/** Departures as they are made. */
export type NewDepartures = DepartureTable & {
  /** Names that the brake holds. */
  readonly held: number;
  /** The last second until which one of the others is deferred, or was; 0 if there are none. */
  readonly last: number;
};

export const NO_DEPARTURES: NewDepartures & { readonly groups: LeaverGroups } = {
  bits: 0,
  inline: encodeDepartures({ tails: new Float64Array(0), until: new Uint32Array(0) }, 0),
  ids: new Uint8Array(0),
  count: 0,
  held: 0,
  last: 0,
  groups: NO_GROUPS,
};

/** A list whose shards are read from its domain's store. */
export const storedList = (store: BlobStore, table: BlobTable): ListContent => ({
  table,
  read: (index) => store.read(blobId(table, index)),
});

/**
 * The departures of a new generation: the names and patterns that it refuses and the one before accepted, whether or not they
 * are still listed, and earlier departures that are not over. A departure matters only where the answer would otherwise be a
 * refusal. So a name that is accepted again can be dropped: if it leaves later, its grace starts then. A name that returns in a
 * refused state has the rest of its grace, unless the brake holds it: the list has decided then, and the grace begins. A name
 * that becomes disabled or moved is deferred for as long as those that left before are, if that is longer than the grace.
 *
 * @param before the previous generation, null if there is none or it cannot be compared
 * @param now Unix milliseconds
 * @param grace seconds
 * @param coverage what the previous generation said of names that it did not list
 * @throws DirectoryError `invalid` if more names leave than can be stored
 */
export function* departuresAfter(
  store: BlobStore,
  hashing: Hashing,
  before: Pick<ManifestContent, "shards" | "departures" | "patterns"> | null,
  after: ListContent & { readonly patterns: Uint8Array | null },
  now: number,
  grace: number,
  keeping: Keeping = {},
  coverage: Coverage = NO_COVERAGE,
): Steps<NewDepartures> {
  if (before === null) return NO_DEPARTURES;
  const compare: Compare = function* (visit) {
    yield* compareInSteps(storedList(store, before.shards), after, visitCovered(visit, coverage));
    compareCovered(listedPatterns(before), after.patterns, visit);
  };
  return yield* departuresIn(store, hashing, before.departures, compare, now, grace, new Set(), keeping);
}

/**
 * The same if only the differences of the two lists are known.
 * @param earlier departures of the previous generation
 * @param atOnce names that get no grace, or no more of it; nor does the brake hold them
 */
export function* departuresIn(
  store: BlobStore,
  hashing: Hashing,
  earlier: DepartureTable,
  compare: Compare,
  now: number,
  grace: number,
  atOnce: ReadonlySet<number> = new Set(),
  keeping: Keeping = {},
): Steps<NewDepartures> {
  const leaving = new TailColumn();
  const suspended = new TailColumn();
  const carried = new Carried(yield* stillKept(store, earlier, now, keeping), earlier.bits);
  // A name that is suspended may have been accepted, and deferred since, by one that left before and may return.
  const graceOfSuspended = Math.max(grace, carried.rest(now));
  if (grace > 0 || carried.count > 0) {
    for (const tail of atOnce) carried.drop(tail);
    yield* compare((tail, was, is) => {
      if (isAcceptedState(is)) {
        carried.drop(tail);
        return;
      }
      // A list that names a held name as disabled or moved has decided.
      const isDecided = is >= 0 && (was < 0 || isAcceptedState(was)) && carried.dropHeld(tail);
      const [names, ownGrace] = is < 0 ? [leaving, grace] : [suspended, graceOfSuspended];
      if (ownGrace === 0 || atOnce.has(tail) || !(isDecided || isLost(was, is))) return;
      if (!names.push(tail)) throw tooMany();
    });
  }
  const before = earlier.groups ?? NO_GROUPS;
  let columns = yield* carried.gone();
  const leavers: NewLeavers[] = [];
  for (const names of [leaving, suspended]) {
    const isSuspended = names === suspended;
    const tails = yield* names.sorted();
    const large = tails.length >= smallestLarge(keeping.accepted ?? 0);
    const ownGrace = isSuspended ? graceOfSuspended : grace;
    const until = deferredUntil(now, ownGrace, isSuspended, large, before);
    leavers.push({ until, count: tails.length });
    columns = yield* merge(columns, tails, until);
  }
  const grouped = yield* groupDepartures(columns, before, leavers, now);
  return { ...(yield* pack(store, hashing, grouped.columns)), groups: grouped.groups };
}

const tooMany = (): DirectoryError =>
  new DirectoryError("invalid", `more than ${MAX_TAILS} names leave at once: set grace to 0 for this change`);

/** Adds names that are deferred until one second, in order of their tails; of two seconds the later one counts. */
function* merge(earlier: DepartureColumns, added: Float64Array, second: number): Steps<DepartureColumns> {
  if (added.length === 0) return earlier;
  const total = earlier.tails.length + added.length;
  const tails = new Float64Array(total);
  const until = new Uint32Array(total);
  let [count, at, next] = [0, 0, 0];
  while (at < earlier.tails.length || next < added.length) {
    const [begun, stop] = [count, count + STEP_NAMES];
    while (count < stop && (at < earlier.tails.length || next < added.length)) {
      const [was, is] = [earlier.tails[at] ?? Infinity, added[next] ?? Infinity];
      tails[count] = Math.min(was, is);
      until[count++] = Math.max(was <= is ? (earlier.until[at++] as number) : 0, is <= was ? second : 0);
      // Two names may share a tail by chance.
      if (is <= was) while (added[next] === is) next++;
    }
    yield (count - begun) / 8;
  }
  return { tails: tails.subarray(0, count), until: until.subarray(0, count) };
}

function* pack(
  store: BlobStore,
  hashing: Hashing,
  columns: DepartureColumns,
): Steps<Omit<NewDepartures, "groups">> {
  const count = columns.tails.length;
  let [held, last] = [0, 0];
  for (const second of columns.until) {
    if (second === HELD) held++;
    else last = Math.max(last, second);
  }
  if (count <= INLINE_DEPARTURES) {
    return { bits: 0, inline: encodeDepartures(columns, 0), ids: new Uint8Array(0), count, held, last };
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
    yield to - from;
    from = to;
  }
  return { bits, inline: null, ids: concatBytes(ids), count, held, last };
}
