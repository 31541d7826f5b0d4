/** The names that a new generation no longer accepts, and until when they are deferred. */
import {
  type BlobStore,
  type BlobTable,
  type Compare,
  type Coverage,
  DirectoryError,
  departureColumns,
  departuresAfter,
  departuresIn,
  type Hashing,
  type Keeping,
  type ListContent,
  lastSecond,
  MARKED_FOR,
  type ManifestContent,
  type ManifestRecord,
  type NewDepartures,
  NO_DEPARTURES,
  type Steps,
  storedList,
  visitCovered,
} from "../../directory/index.ts";
import { failure } from "../failure.ts";
import type { Records } from "../generations/records.ts";

/** A generation's list, read from the Registry's own tables. */
export const listOf = (records: Records, domain: string, table: BlobTable): ListContent =>
  storedList(blobsOfDomain(records, domain, 0), table);

/** The list of a new generation. Its shards were verified when they were put, and are named by their ids. */
export const newListOf = (records: Records, domain: string, table: BlobTable): ListContent => {
  const read = (id: string): Uint8Array => records.blobBytes(domain, id) ?? records.blob(domain, id);
  return storedList({ ...blobsOfDomain(records, domain, 0), read }, table);
};

/** How a list differs from the domain's head, where that is known without comparing the two. */
export interface KnownChanges {
  readonly compare: Compare;
  /** Tails of names that get no grace. */
  readonly atOnce: ReadonlySet<number>;
  /** What the brake does with names that left before. */
  readonly brake?: Keeping["brake"];
}

/** What decides about departures, beside the two lists. */
export interface DepartureRules {
  /** Unix milliseconds. */
  readonly now: number;
  /** Seconds. */
  readonly grace: number;
  /** Names that the new list accepts. */
  readonly accepted: number;
  /** What the list before said of names that it did not list. */
  readonly coverage: Coverage;
}

/**
 * The departures of the generation that follows `before`. Blobs of them are kept in the Registry's own tables.
 * @param accepted names that the generation accepts
 * @throws RegistryFailure `bad_request` where more names leave than can be kept
 */
export function* computeDepartures(
  records: Records,
  hashing: Hashing,
  before: ManifestContent | null,
  after: (ListContent & { readonly patterns: Uint8Array | null }) | KnownChanges,
  { now, grace, accepted, coverage }: DepartureRules,
): Steps<NewDepartures> {
  const store = blobsOfDomain(records, before?.domain ?? "", now);
  try {
    if (before === null) return NO_DEPARTURES;
    if (!("compare" in after)) {
      const keeping = { marked: MARKED_FOR, accepted };
      return yield* departuresAfter(store, hashing, before, after, now, grace, keeping, coverage);
    }
    const { atOnce, brake } = after;
    const keeping = { marked: MARKED_FOR, brake, accepted };
    const compare: Compare = (visit) => after.compare(visitCovered(visit, coverage));
    return yield* departuresIn(store, hashing, before.departures, compare, now, grace, atOnce, keeping);
  } catch (error) {
    if (!(error instanceof DirectoryError && error.fault === "invalid")) throw error;
    throw failure("bad_request", error.message);
  }
}

/** The blobs of a domain in the Registry's own tables. @param now Unix milliseconds, for blobs that are kept */
export const blobsOfDomain = (records: Records, domain: string, now: number): BlobStore => ({
  read: (id) => records.blob(domain, id),
  keep: (id, bytes) => records.blobs.putDepartures(domain, id, bytes, now),
});

/** The last second until which a name or a pattern is deferred that left a list; 0 if none is. Held ones do not count. */
export function lastDeparture(records: Records, { domain, departures }: ManifestRecord): number {
  if (departures.count === 0) return 0;
  return lastSecond(departureColumns(blobsOfDomain(records, domain, 0), departures));
}
