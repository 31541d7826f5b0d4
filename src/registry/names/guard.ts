/** The guard of law 4 over the lists of a domain's last day, with its ledger in the Registry's tables. */
import {
  acceptedCount,
  acceptsByPattern,
  advanceLedger,
  type Coverage,
  comparable,
  DirectoryError,
  type DomainPolicy,
  GUARD_SPAN,
  type GuardedList,
  guardRefusal,
  isKnownCanonicaliser,
  listedPatterns,
  listsOfDay,
  losesByPattern,
  MAX_GUARDED_LISTS,
  type ManifestRecord,
  type NameChanges,
  nameChanges,
  type Steps,
  uncountableChanges,
} from "../../directory/index.ts";
import { Damage } from "../failure.ts";
import { type Head, liveManifest, type Records } from "../generations/records.ts";
import type { RegistryStorage } from "../ports.ts";
import { listOf, newListOf } from "./compute-departures.ts";
import { GuardStore } from "./guard-store.ts";
import { lostGraces } from "./lost-graces.ts";

/** What follows a domain's newest list. */
export interface Successor {
  readonly domain: string;
  readonly head: Head | null;
  readonly policy: DomainPolicy;
  readonly keyId: string;
  /** Names that it accepts or defers. */
  readonly accepted: number;
  /** Its table of patterns, null if it has none. */
  readonly patterns: Uint8Array | null;
  /** Names that change against the domain's newest list, even where the domain was deleted since. */
  changesFrom(newest: ManifestRecord): Steps<NameChanges>;
}

/** What the guard works with. */
export interface GuardContext {
  readonly storage: RegistryStorage;
  readonly records: Records;
  readonly now: number;
}

/** What the guard says of a commit. Nothing of it is stored yet. */
export interface Judgement {
  /** Why the guard refuses it, or null. */
  readonly refusal: string | null;
  /**
   * Stores the ledger with the commit in it. Call it inside the commit's transaction, and only if the domain's head is still
   * the one that it was judged by.
   * @param generation the commit's number: no list of the domain has one between it and the number that was judged
   * @param now when it becomes the head, Unix milliseconds
   */
  keep(generation: number, now: number): void;
}

/** Whether a generation's fingerprints can be compared with those of another key id and policy. */
export const isComparable = (
  record: ManifestRecord,
  other: { readonly policy: DomainPolicy; readonly keyId: string },
): boolean => isKnownCanonicaliser(record.canonicaliser) && comparable(record, other);

/**
 * Judges a commit against every list that was the domain's head within the last 24 h, step by step. It changes nothing.
 *
 * @param generation number of the commit, or one that no list has and that is lower
 * @param forced whether an override accepts it: then the names that it refuses are not counted any more
 */
export function* judge(
  context: GuardContext,
  successor: Successor,
  generation: number,
  forced: boolean,
): Steps<Judgement> {
  const { records, now } = context;
  const { domain, head, policy, accepted, patterns } = successor;
  const live = liveManifest(head);
  const store = new GuardStore(context.storage, domain);
  let lists = listsOfDay(yield* currentLists(context, store), now);
  const newest = lists.length === 0 ? null : (records.lastList(domain)?.manifest ?? null);
  const canCompare = newest === null || isComparable(newest, successor);
  let after: GuardedList[] = [{ generation, accepted, lost: 0, superseded: null }];
  const changes = newest !== null && canCompare ? yield* changesFrom(newest, successor, forced) : null;
  if (changes !== null) {
    const step = { generation, accepted, changes, forced, now };
    try {
      after = yield* advanceLedger(lists, store, step);
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      // Damaged spans are computed again from the generations.
      store.clear();
      lists = listsOfDay(yield* currentLists(context, store), now);
      after = yield* advanceLedger(lists, store, step);
    }
  }
  const isFull = after.length > MAX_GUARDED_LISTS;
  // With an override, the day starts with this list.
  if (isFull) after = after.slice(-1);
  const open = lists.find(({ superseded }) => superseded === null)?.generation ?? null;
  const keep = (number: number, time: number): void => store.save(dated(after, open, number, time), time);
  if (forced) return { refusal: null, keep };
  if (isFull) {
    const refusal = `is generation ${MAX_GUARDED_LISTS + 1} of the domain within 24 h, more than can be compared; publish it less often`;
    return { refusal, keep };
  }
  const refusal = guardRefusal({
    lists: canCompare
      ? lists.map((list, i) => ({
          generation: list.generation,
          accepted: list.accepted,
          lostBefore: list.lost,
          lost: after[i]?.lost ?? 0,
        }))
      : null,
    accepted: newest === null ? 0 : acceptedCount(newest.counts),
    remaining: accepted,
    uncountable: [
      // After a deletion too, since a new list starts no new day.
      ...(newest === null ? [] : uncountableChanges(newest.policy, policy)),
      ...(newest !== null && losesByPattern(listedPatterns(newest), patterns) ? ["patterns"] : []),
    ],
    mayBeEmpty: policy.alias !== null || policy.catchall,
    hasPatterns: acceptsByPattern(patterns),
    // The share that applies now: a tighter one takes effect at once, a looser one needs a commit of its own.
    share: (live ?? newest)?.policy.guard ?? policy.guard,
    hidden: { now: after.at(-1)?.hidden ?? 0, today: hiddenIn(after) },
  });
  const why = refusal === null || newest === null ? "" : lostGraces(context, successor, newest);
  return { refusal: refusal === null ? null : refusal + why, keep };
}

/**
 * The lists of a day as they are once a commit is made, which may be a little later than it was judged.
 * @param open the list that it supersedes, null if there is none
 */
const dated = (
  lists: readonly GuardedList[],
  open: number | null,
  number: number,
  now: number,
): GuardedList[] =>
  lists.map((list, i) => {
    if (i === lists.length - 1) return { ...list, generation: number };
    return list.generation === open ? { ...list, superseded: Math.ceil(now / 1000) } : list;
  });

/** Names that were hidden within a day; the first of the lists was made before it, or follows none. */
const hiddenIn = (lists: readonly GuardedList[]): number =>
  lists.slice(1).reduce((sum, { hidden = 0 }) => sum + hidden, 0);

/**
 * The names that change from a domain's newest list. With an override, a list that lost parts of it can be replaced: it is
 * like one that cannot be compared.
 */
function* changesFrom(
  newest: ManifestRecord,
  successor: Successor,
  forced: boolean,
): Steps<NameChanges | null> {
  try {
    return yield* successor.changesFrom(newest);
  } catch (error) {
    if (forced && error instanceof Damage) return null;
    throw error;
  }
}

/** The names that change from a domain's newest list to a table of shards that the Registry holds. */
export const changesTo =
  (
    records: Records,
    domain: string,
    shards: ManifestRecord["shards"],
    coverageBy: (newest: ManifestRecord) => Coverage,
  ): Successor["changesFrom"] =>
  (newest) => {
    const [before, after] = [listOf(records, domain, newest.shards), newListOf(records, domain, shards)];
    return nameChanges(before, after, coverageBy(newest));
  };

/**
 * What a list said of names that it did not list, to a commit that follows it.
 * @param covered what the commit says of it
 */
export const coverageOf = ({ policy }: ManifestRecord, covered: ReadonlySet<number> | null): Coverage => ({
  covered,
  catchall: policy.catchall,
});

/** Names that are known already. */
export const knownChanges = (changes: NameChanges): Successor["changesFrom"] =>
  // biome-ignore lint/correctness/useYield: nothing is left to do
  function* () {
    return changes;
  };

/** A generation as the ledger needs it, without its manifest. */
interface GenerationRow {
  readonly number: number;
  readonly forced: boolean;
  readonly accepted: number;
  /** Unix milliseconds. */
  readonly superseded: number | null;
}

/**
 * The lists of a domain's ledger, oldest first, with what was committed without it, while it was damaged or missing.
 */
function* currentLists(context: GuardContext, store: GuardStore): Steps<GuardedList[]> {
  const kept = keptLists(store, context.now);
  const newest = kept.at(-1)?.generation ?? null;
  const [first, ...rows] = generationsSince(context, store.domain, newest);
  if (newest !== null && first?.number !== newest) {
    store.clear();
    return yield* currentLists(context, store);
  }
  if (first === undefined) return [];
  let lists = newest === null ? [listOfRow(first)] : kept;
  let before = first;
  for (const row of rows) {
    lists = yield* follow(context, store, endedAt(lists, before), before, row);
    before = row;
  }
  return endedAt(lists, before);
}

/** Adds the generation of `row`, which followed that of `before`, to a ledger. */
function* follow(
  { records, now }: GuardContext,
  store: GuardStore,
  lists: GuardedList[],
  before: GenerationRow,
  row: GenerationRow,
): Steps<GuardedList[]> {
  const { domain } = store;
  const [was, is] = [before, row].map(({ number }) => records.soundGeneration(domain, number)?.manifest);
  const changes = was === undefined || is === undefined ? null : yield* changesBetween(records, was, is);
  if (changes === null) {
    // Spans of other fingerprints say nothing about the names of this list, nor does a list that is damaged.
    store.clear();
    return [listOfRow(row)];
  }
  const { number: generation, accepted, forced } = row;
  return yield* advanceLedger(lists, store, { generation, accepted, changes, forced, now });
}

function* changesBetween(
  records: Records,
  was: ManifestRecord,
  is: ManifestRecord,
): Steps<NameChanges | null> {
  if (!isComparable(was, is)) return null;
  try {
    // Who was covered is not known any more, so all may be.
    return yield* changesTo(records, is.domain, is.shards, (list) => coverageOf(list, null))(was);
  } catch (error) {
    if (error instanceof Damage) return null;
    throw error;
  }
}

const listOfRow = ({ number, accepted, superseded }: GenerationRow): GuardedList => ({
  generation: number,
  accepted,
  lost: 0,
  superseded: superseded === null ? null : Math.ceil(superseded / 1000),
});

/** The same lists, where the newest was superseded when its generation was: by another list or a deletion. */
const endedAt = (lists: readonly GuardedList[], newest: GenerationRow): GuardedList[] =>
  lists.map((list) =>
    list.generation === newest.number ? { ...list, superseded: listOfRow(newest).superseded } : list,
  );

/** Lists that a ledger holds; none where it is damaged or older than a day, so that it is computed again. */
function keptLists(store: GuardStore, now: number): GuardedList[] {
  try {
    const lists = store.lists(now - GUARD_SPAN);
    if (lists.length > 0) return lists;
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error;
  }
  store.clear();
  return [];
}

/** Generations from `number` on, or where that is null, those that were heads within the last 24 h. */
function generationsSince(
  { storage, now }: GuardContext,
  domain: string,
  number: number | null,
): GenerationRow[] {
  const columns = "number, forced, accepted, superseded";
  const rows =
    number === null
      ? storage.sql(
          `SELECT ${columns} FROM generations WHERE domain = ? AND action != 'delete'
             AND (superseded IS NULL OR superseded > ?) ORDER BY number`,
          domain,
          now - GUARD_SPAN,
        )
      : storage.sql(
          `SELECT ${columns} FROM generations WHERE domain = ? AND action != 'delete' AND number >= ?
             ORDER BY number`,
          domain,
          number,
        );
  return rows.map((row) => ({
    number: row.number as number,
    forced: row.forced === 1,
    accepted: row.accepted as number,
    superseded: row.superseded as number | null,
  }));
}
