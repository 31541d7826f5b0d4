/**
 * The calls between the edge and a Registry. Arguments and answers are plain data, since they cross isolates. An error of
 * the contract is a value; a throw means that the Registry could not be reached, or has a bug. While a release is rolled
 * out, edges and Registries of two releases call each other, so a call may only gain optional members for one release.
 */
import type {
  AuditRecord,
  CommitRequest,
  CommitResult,
  Counted,
  DomainSummary,
  GenerationRecord,
  HeadResult,
  ModeRequest,
  PatchResult,
  PlanRequest,
  PlanResult,
  Position,
  Question,
  QuestionAnswer,
  RegistryStatus,
  RestoredResult,
  Result,
  RollbackPlan,
  RollbackRequest,
  TokenRecord,
  VerifyResult,
} from "../api/index.ts";
import type { OtherWays, SingleChange } from "../directory/index.ts";

/** Which of how many Registries. One that was made for another place answers with a fault. */
export interface Place {
  readonly partition: number;
  readonly partitions: number;
}

/** What a client sent single changes under: `digest` identifies them. */
export interface IdempotencyKey {
  readonly key: string;
  readonly digest: string;
}

/** Who makes a change: a token's id, or `admin`. */
export type Actor = string;

/** Domains that the actor's token covers, null for all. */
export type Reach = readonly string[] | null;

/** What is counted or found of a head, beside what its manifest says. */
export type HeadCounts = Pick<DomainSummary, "brake" | "would_refuse" | "open_changes" | "fault">;

/** What its manifest says of a head. The edge adds its age, and whether its own key fits. */
export type SaidOfHead = Omit<DomainSummary, "age" | "key_fits" | keyof HeadCounts>;

/** A head as the Registry knows it. */
export type HeadSummary = SaidOfHead & HeadCounts;

/** A token as the Registry records it; the edge adds whether its own key fits. */
export type StoredToken = Omit<TokenRecord, "key_fits">;

export type PartitionStatus = RegistryStatus["partitions"][number];

/** One page of a listing. */
export interface Page<T> {
  /** The last line of the page before, null for the first one. */
  readonly after: T | null;
  readonly limit: number;
}

/** Which lines of the audit trail are wanted: about a domain, by or about a token, or of an action. */
export interface AuditFilter {
  readonly domain?: string;
  readonly token?: string;
  readonly action?: string;
}

/** A page of the audit trail: lines with a lower number than `before`. */
export interface AuditPage {
  readonly before: number | null;
  readonly limit: number;
  readonly filter: AuditFilter;
}

export interface AuditLines {
  readonly lines: readonly (AuditRecord & { readonly seq: number })[];
  /** `before` of the next page, null after the last one. A page may have few lines, or none, and be followed by others. */
  readonly next: number | null;
}

/** A page of the list of tokens. */
export interface TokenPage {
  /** When the last token of the page before was created, and its id. */
  readonly after: readonly [created: number, id: string] | null;
  readonly limit: number;
  /** Only tokens that cover this domain. */
  readonly domain?: string;
  /** Only this token. */
  readonly id?: string;
}

/** A revoked token, as a partition copies it from the first one. */
export interface Revocation {
  readonly id: string;
  /** When the token expires by itself, Unix milliseconds; null: never. */
  readonly expires: number | null;
}

/** The result of a change, and the position in the log from which isolates see it. */
export interface Changed<T> extends Position {
  readonly result: T;
}

/**
 * Changes of single mailboxes of one domain, by their fingerprints (law 6), and what shows that these were made under the
 * head's key, policy and canonicaliser (law 5).
 */
export interface MailboxChanges {
  readonly domain: string;
  readonly keyId: string;
  readonly canonicaliser: number;
  readonly sentinels: readonly string[];
  /** Each name once. */
  readonly changes: readonly SingleChange[];
  /**
   * For each of `changes` that lists a name as disabled or moved, how the head may accept it without listing it; null for the
   * others. Left out: nobody says, so that it may.
   */
  readonly otherwise?: readonly (OtherWays | null)[];
  /** Positions in `changes` of names that must be in the list; left out if none must. */
  readonly mustBeListed?: readonly number[];
  /** Positions of names that must not be in the list with another state; left out if there are none. */
  readonly mustBeNew?: readonly number[];
  /** Overrides the guard; recorded. */
  readonly force: boolean;
  /** Whether names that are refused get no departure grace. */
  readonly atOnce: boolean;
  /** What the client sends again if it does not get the answer, or null. */
  readonly idempotency: IdempotencyKey | null;
}

/** A head with the names that single changes changed, as a publisher gets them. */
export interface PatchedNames extends HeadCounts {
  readonly generation: number;
  readonly manifest: Uint8Array;
  readonly names: Uint8Array;
  /** Fingerprints of those that were removed with `--now`, one after the other. */
  readonly atOnce: Uint8Array;
}

export interface RegistryApi {
  question(question: Question): Promise<Result<QuestionAnswer>>;
  /**
   * Bytes of a shard or of departures, null if the Registry does not hold them.
   * @param isMissed whether a check did not find these bytes in KV
   */
  blob(domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>>;
  /**
   * Keeps a shard for a day; a commit that names it keeps it for good.
   * @param by whose uploads are counted
   * @returns `storage_full` if domain or token have too many that no commit names
   */
  putShard(domain: string, id: string, bytes: Uint8Array, by?: Actor): Promise<Result<null>>;
  commit(request: CommitRequest, by: Actor, reach: Reach): Promise<Result<Changed<CommitResult>>>;
  /**
   * Changes single mailboxes of the head.
   * @returns `conflict` if the head has another key, policy or canonicaliser than the changes were made under
   */
  patch(changes: MailboxChanges, by: Actor, reach: Reach): Promise<Result<Changed<PatchResult>>>;
  /** The head, and names that single changes changed since the last publish; null if there is no head. */
  patched(domain: string): Promise<Result<PatchedNames | null>>;
  /** What the guard would say of a commit. Changes nothing. @param by takes turns with others */
  plan(request: PlanRequest, reach: Reach, by?: Actor): Promise<Result<PlanResult>>;
  rollback(
    domain: string,
    request: RollbackRequest,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<HeadResult>>>;
  /** What a rollback would make of single changes. Changes nothing. */
  planRollback(domain: string, to: number, reach: Reach): Promise<Result<RollbackPlan>>;
  /** Changes the mode of the head, and nothing else. */
  setMode(
    domain: string,
    request: ModeRequest,
    by: Actor,
    reach: Reach,
  ): Promise<Result<Changed<HeadResult>>>;
  /** Refuses the names that the brake holds, since a person says that they left. */
  release(domain: string, expect: number, by: Actor, reach: Reach): Promise<Result<Changed<HeadResult>>>;
  /** Leaves a tombstone. */
  remove(domain: string, expect: number, by: Actor): Promise<Result<Changed<HeadResult>>>;
  /** The head's manifest, null if the domain has none. */
  head(domain: string): Promise<Result<Uint8Array | null>>;
  /** The epoch whose key the actor may publish under next; no other actor is given it. */
  grantKey(domain: string, by: Actor): Promise<Result<number>>;
  /** In the order of their names. */
  domains(page: Page<string>): Promise<Result<readonly HeadSummary[]>>;
  /** Those of the named domains that have a head. */
  domainsNamed(names: readonly string[]): Promise<Result<readonly HeadSummary[]>>;
  /** Newest first. `after` is a generation's number. */
  generations(domain: string, page: Page<number>): Promise<Result<readonly GenerationRecord[] | null>>;
  keepToken(token: StoredToken, by: Actor): Promise<Result<null>>;
  /** Oldest first. @param page all of them, if it is left out */
  tokens(page?: TokenPage): Promise<Result<readonly StoredToken[]>>;
  /**
   * Null if no such token was issued. A Registry that is not initialised keeps the id for when it is, and answers
   * `uninitialised`.
   */
  revokeToken(id: string, expires: number | null, by: Actor): Promise<Result<Changed<StoredToken | null>>>;
  isRevoked(id: string): Promise<Result<boolean>>;
  /** Every revocation. The first partition records all of them, and the others copy them from it. */
  revocations(): Promise<Result<readonly Revocation[]>>;
  /** Initialises the Registry; if that was done before, it copies the revocations that it lacks. */
  initialise(by: Actor): Promise<Result<PartitionStatus>>;
  /** Continues the log under a higher incarnation, after its storage was restored. Only while it is paused. */
  restored(expect: number, by: Actor): Promise<Result<Changed<RestoredResult>>>;
  status(): Promise<Result<PartitionStatus>>;
  /** Verifies the next heads and their blobs. @param after `next` of the answer before, null to begin */
  verify(after: string | null): Promise<Result<Omit<VerifyResult, "partition">>>;
  /** What isolates counted in the last hour and day. */
  counted(): Promise<Result<readonly Counted[]>>;
  auditPage(page: AuditPage): Promise<Result<AuditLines>>;
}

/** The names of all calls. */
export const REGISTRY_CALLS = [
  "question",
  "blob",
  "putShard",
  "commit",
  "patch",
  "patched",
  "plan",
  "rollback",
  "planRollback",
  "setMode",
  "release",
  "remove",
  "head",
  "grantKey",
  "domains",
  "domainsNamed",
  "generations",
  "keepToken",
  "tokens",
  "revokeToken",
  "isRevoked",
  "revocations",
  "initialise",
  "restored",
  "status",
  "verify",
  "counted",
  "auditPage",
] as const satisfies readonly (keyof RegistryApi)[];
