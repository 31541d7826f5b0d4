/** What can go wrong, and how it is said. */
import { closed } from "./schema.ts";

/** HTTP status of each error, by `error.code`. */
export const STATUS = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  timeout: 408,
  /** The head is not the one that the change was planned against. */
  conflict: 409,
  /** The commit names shards that were not uploaded before; `error.missing` lists them. */
  missing_shards: 409,
  /** Single changes were made since the last publish, and the commit does not say what becomes of them. */
  patched_names: 409,
  /** Single changes cannot go on: the list has to be published, which makes more shards. */
  repack_needed: 409,
  /** Mailboxes that must be in the list are not; `error.unlisted` has their positions in `set`. */
  not_listed: 409,
  /** Mailboxes that must not be in the list with another state are; `error.listed` has their positions in `set`. */
  already_listed: 409,
  too_large: 413,
  unsupported_media_type: 415,
  /** What a domain or a token may store is full; the message says what. */
  storage_full: 429,
  /** Refused by the guard of law 4; `error.refusals` gives the reason for each domain. */
  guard: 422,
  unconfigured: 503,
  /** The Registry was never initialised: nothing was published yet. The first commit initialises it. */
  uninitialised: 503,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** What can be wrong behind a check that gets no verdict. */
export const FAULT_KINDS = [
  /** A list was made under a key that is not the edge's (law 5): under another master key, above all. */
  "key_mismatch",
  "canonicaliser_mismatch",
  "damaged_manifest",
  "damaged_blob",
  /** A shard, or departures, that neither KV nor the Registry has. */
  "missing_blob",
  "damaged_roster",
  /** A domain has a history in the Registry and no head, or a head without its generation. */
  "lost_head",
  /** Counts of ten minutes that the Registry can no longer read. */
  "damaged_counters",
  "kv_unreadable",
  "registry_unreachable",
  /** The Registry answers with an error: it was never initialised, or was made for another place. */
  "registry_refuses",
  "internal_error",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** The body of a request that has nothing to say. */
export const noMembers = closed({});
