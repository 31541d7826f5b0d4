/**
 * The HTTP contract between the edge and its clients: the shapes of bodies, and the limits that both sides know.
 * docs/api.md says it in words; the answer about a recipient is {@link Answer} in the directory.
 */
import type { Answer, Counts, DomainPolicy, Mode, Origin } from "../directory/index.ts";

/** Recipients in one request. */
export const MAX_RECIPIENTS = 1_000;
/** Octets of a request to check, of a commit, and of a shard. */
export const MAX_CHECK_BODY = 2_200_000;
export const MAX_COMMIT_BODY = 16 * 1024 * 1024;
/** Octets of a plan, and names that it may list: 6 octets each, in base64url. */
export const MAX_PLAN_BODY = 16 * 1024 * 1024;
export const MAX_PLANNED_NAMES = 2_000_000;
export const MAX_SHARD_BODY = 1024 * 1024;
export const MAX_SMALL_BODY = 64 * 1024;
/** Lines of one page of a listing, at most; as many come where a page does not say. */
export const MAX_PAGE = 1_000;
/** A listing that is asked for without pages comes whole, and not at all where it has more lines. */
export const MAX_WHOLE = 10_000;
/** Domains in one commit. */
export const MAX_COMMIT_DOMAINS = 500;

/** What went wrong, as `error.code` of a body with another status than 2xx. */
export type ErrorCode =
  | "bad_request"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "timeout"
  /** The head is another than the one that the change was planned against. */
  | "conflict"
  /** The commit names shards that were not put before; `error.missing` lists them. */
  | "missing_shards"
  | "too_large"
  | "unsupported_media_type"
  /** Refused by the guard of law 4; `error.refusals` says why for each domain. */
  | "guard"
  | "unconfigured"
  /** The Registry was never initialised: nothing was published yet, and a first commit begins it. */
  | "uninitialised"
  | "unavailable";

export interface ErrorBody {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly domain?: string;
    /** conflict: the number of the head, null where there is none. */
    readonly head?: number | null;
    /** missing_shards: ids by domain. */
    readonly missing?: Readonly<Record<string, readonly string[]>>;
    /** guard: the reason by domain. */
    readonly refusals?: Readonly<Record<string, string>>;
  };
}

/** What can be wrong behind a check that gets no verdict. */
export type FaultKind =
  /** A list was made under another key than the edge's own (law 5): another master key, above all. */
  | "key_mismatch"
  | "canonicaliser_mismatch"
  | "damaged_manifest"
  | "damaged_blob"
  /** A shard, or departures, that neither KV nor the Registry has. */
  | "missing_blob"
  | "damaged_roster"
  | "kv_unreadable"
  | "registry_unreachable"
  /** The Registry answers, and says that it cannot: never initialised, or made for another place. */
  | "registry_refuses"
  | "internal_error";

export type Role = "check" | "publish" | "replica" | "admin";

/** Body of `POST /v1/rcpt` in JSON; a bare list of strings is taken too. */
export interface CheckRequest {
  readonly recipient?: string;
  readonly recipients?: readonly string[];
  /** Highest generation that the asker has seen, by domain: an older one is no answer (law 3). */
  readonly floor?: Readonly<Record<string, number>>;
  readonly client?: string;
  readonly sender?: string;
}

export interface CheckResults {
  readonly results: readonly Answer[];
}

/** One line of `GET /v1/domains`: how a list stands, and nobody who is on it. */
export interface DomainSummary {
  readonly domain: string;
  readonly generation: number;
  /** When the head was made, Unix milliseconds. */
  readonly time: number;
  /** Seconds since then, by the edge's clock. */
  readonly age: number;
  readonly mode: Mode;
  readonly counts: Counts;
  readonly alias: string | null;
  /** Set where the domain was deleted: deferred until then, Unix milliseconds. */
  readonly deleted_until: number | null;
  /** The key that the head was made under. */
  readonly epoch: number;
  readonly key_id: string;
  /** Whether it is the edge's key for this domain. Where it is not, every check of the domain is deferred (law 5). */
  readonly key_fits: boolean;
}

export interface DomainList {
  readonly domains: readonly DomainSummary[];
  /** What the next page comes after, null where there is none. */
  readonly next: string | null;
}

/** How KV stands against the head. */
export type KvState = "equal" | "behind" | "missing" | "conflict" | "damaged" | "other-key" | "unreadable";

/** Body of `GET /v1/domains/{domain}`. */
export interface DomainDescription extends DomainSummary {
  readonly origin: Origin;
  readonly partition: number;
  readonly policy: DomainPolicy;
  readonly canonicaliser: number;
  readonly shards: ShardTable;
  readonly departures: number;
  readonly kv: { readonly state: KvState; readonly generation: number | null };
}

/** A list's shards: 2^bits content ids in order, or the only shard's bytes in base64url. */
export type ShardTable =
  | { readonly bits: number; readonly ids: readonly string[] }
  | { readonly bits: 0; readonly inline: string };

/** Body of `GET /v1/domains/{domain}/key`; the domain need not exist yet. */
export interface DomainKeyBody {
  readonly domain: string;
  readonly epoch: number;
  /** The secret, base64url. To be kept in memory only. */
  readonly key: string;
  readonly key_id: string;
  readonly canonicaliser: number;
  readonly partition: number;
}

/** Body of `POST /v1/commits`: all of it happens, or nothing. */
export interface CommitRequest {
  readonly domains: readonly DomainCommit[];
  /** Overrides the guard; recorded. */
  readonly force?: boolean;
  /** Kept in the history, for people. At most 200 characters. */
  readonly note?: string;
}

export interface DomainCommit {
  readonly domain: string;
  /** The generation that this was planned against, null where the domain has no head. */
  readonly expect: number | null;
  readonly epoch: number;
  readonly key_id: string;
  readonly canonicaliser: number;
  /** Sentinels under the policy that results; proof that both sides canonicalise alike. */
  readonly sentinels: readonly string[];
  /** Settings to change; those left out keep their value. */
  readonly policy?: Partial<DomainPolicy>;
  readonly mode?: Mode;
  readonly shards: ShardTable;
}

export interface CommitResult {
  /** Number of each domain's head, now. */
  readonly generations: Readonly<Record<string, number>>;
  /** Domains of the commit that were so already, and got no new number. */
  readonly unchanged: readonly string[];
}

/** Body of `POST /v1/plans`: what a commit would change, for the guard to judge beforehand. Nothing is stored. */
export interface PlanRequest {
  readonly domains: readonly PlannedDomain[];
}

export interface PlannedDomain {
  readonly domain: string;
  /** The generation that this was planned against. */
  readonly expect: number;
  readonly key_id: string;
  readonly canonicaliser: number;
  readonly policy?: Partial<DomainPolicy>;
  /** Names that the new list accepts or defers. */
  readonly accepted: number;
  readonly names: PlannedNames;
}

/**
 * Names by the 48-bit tails of their fingerprints: 6 octets each, big-endian, ascending, in base64url. Against a head
 * those that it accepts or defers and the new list does not, and the reverse; against a tombstone all that the new list
 * accepts or defers.
 */
export type PlannedNames = { readonly gone: string; readonly back: string } | { readonly accepted: string };

export interface PlanResult {
  /** Why the guard would refuse, by domain; null where it would not. */
  readonly refusals: Readonly<Record<string, string | null>>;
}

/** One line of a domain's history. */
export interface GenerationRecord {
  readonly generation: number;
  readonly time: number;
  readonly action: "commit" | "rollback" | "delete";
  /** Id of the token that made it, or `admin`. */
  readonly by: string;
  readonly forced: boolean;
  readonly note: string | null;
  readonly mode: Mode;
  readonly counts: Counts;
  readonly departures: number;
}

export interface GenerationList {
  readonly domain: string;
  readonly generations: readonly GenerationRecord[];
  /** What the next page comes after, null where there is none. */
  readonly next: number | null;
}

/** Body of `POST /v1/domains/{domain}/rollback`. */
export interface RollbackRequest {
  readonly to: number;
  readonly expect: number | null;
  readonly note?: string;
}

/** Body of the answer to a rollback or a deletion. */
export interface HeadResult {
  readonly domain: string;
  readonly generation: number;
}

export interface TokenRequest {
  readonly role: Exclude<Role, "admin">;
  /** Null: every domain; only for check. */
  readonly domains: readonly string[] | null;
  /** Seconds until it expires; null or left out: never. */
  readonly expires_in?: number | null;
  readonly note?: string;
}

export interface TokenRecord {
  readonly id: string;
  readonly role: Exclude<Role, "admin">;
  readonly domains: readonly string[] | null;
  /** Unix milliseconds, null: never. */
  readonly expires: number | null;
  readonly created: number;
  readonly revoked: number | null;
  readonly note: string | null;
  /** Id of the key that it was made under; null where an earlier release made it. */
  readonly key_id: string | null;
  /** Whether that is the edge's key: another one's tokens are not accepted. Null where it is not known. */
  readonly key_fits: boolean | null;
}

export interface TokenCreated extends TokenRecord {
  readonly token: string;
}

export interface TokenList {
  readonly tokens: readonly TokenRecord[];
}

/** Body of `GET /healthz`. */
export interface Health {
  readonly status: "ok" | "unconfigured";
  readonly version: string;
  /** Names of secrets and bindings that are missing or cannot be used, each with what is wrong. */
  readonly faults: readonly string[];
}

/** Body of `POST /v1/registry` and `GET /v1/registry`: how the Registries of this deployment stand. */
export interface RegistryStatus {
  readonly partitions: readonly {
    readonly partition: number;
    /** Null where it was never initialised. */
    readonly incarnation: number | null;
    /** The newest number. */
    readonly as_of: number;
    /** Keys that KV still lacks. */
    readonly kv_pending: number;
    /** Why the last copying to KV failed, null where it did not. */
    readonly kv_error: string | null;
  }[];
  /** Whether KV could be read just now. */
  readonly kv_readable: boolean;
  /** Shortest cacheTtl that KV takes, seconds. */
  readonly kv_cache_ttl: number;
}

/** Body of `GET /v1/status`: what was answered and what went wrong, as far as it was counted. */
export interface EdgeStatus {
  readonly answers: readonly AnswerCount[];
  readonly faults: readonly FaultCount[];
}

/** Answers of one domain, mode and verdict in the last hour and the last day. */
export interface AnswerCount {
  /** Null: domains that are not served here, and what too many domains were counted together as. */
  readonly domain: string | null;
  readonly mode: Mode | null;
  readonly verdict: Answer["verdict"];
  readonly hour: number;
  readonly day: number;
}

/** Faults of one kind in the last hour and the last day. */
export interface FaultCount {
  readonly domain: string | null;
  readonly kind: FaultKind;
  readonly hour: number;
  readonly day: number;
}

/** One line of the audit trail. */
export interface AuditRecord {
  readonly time: number;
  readonly action: string;
  readonly by: string;
  readonly subject: string;
  readonly detail: string | null;
}

export interface AuditList {
  readonly audit: readonly AuditRecord[];
}
