/** The names that a new generation no longer accepts, and until when they are deferred. */
import {
  type BlobStore,
  type BlobTable,
  type DepartureTable,
  DirectoryError,
  departuresAfter,
  type Hashing,
  type ListContent,
  type ManifestContent,
  storedList,
} from "../directory/index.ts";
import { failure } from "./failure.ts";
import type { Records } from "./records.ts";

/** A generation's list, read from the Registry's own tables. */
export const listOf = (records: Records, domain: string, table: BlobTable): ListContent =>
  storedList(blobsOfDomain(records, domain, 0), table);

/**
 * The departures of the generation that follows `before`. Blobs of them are kept in the Registry's own tables.
 * @throws RegistryFailure `bad_request` where more names leave than can be kept
 */
export function computeDepartures(
  records: Records,
  hashing: Hashing,
  before: ManifestContent | null,
  after: ListContent,
  now: number,
  grace: number,
): DepartureTable {
  const store = blobsOfDomain(records, before?.domain ?? "", now);
  try {
    return departuresAfter(store, hashing, before, after, now, grace);
  } catch (error) {
    if (!(error instanceof DirectoryError && error.fault === "invalid")) throw error;
    throw failure("bad_request", error.message);
  }
}

const blobsOfDomain = (records: Records, domain: string, now: number): BlobStore => ({
  read(id) {
    const bytes = records.blob(domain, id);
    if (bytes === null) throw failure("unavailable", `blob ${id} of ${domain} is lost`, { domain });
    return bytes;
  },
  keep: (id, bytes) => records.putDepartures(domain, id, bytes, now),
});
