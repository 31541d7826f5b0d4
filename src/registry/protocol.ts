/**
 * What the edge asks of a Registry. Values are plain, since they cross from one isolate to another; an error
 * that is part of the contract is a value, and a throw means that the Registry could not be reached or broke.
 */
import type {
  AuditRecord,
  CommitRequest,
  CommitResult,
  DomainSummary,
  GenerationRecord,
  HeadResult,
  PlanRequest,
  PlanResult,
  RegistryStatus,
  RollbackRequest,
  TokenRecord,
} from "../api/contract.ts";
import type { Counted, Position, Question, QuestionAnswer, Result } from "../api/log.ts";

/** Which of how many Registries is meant. One that was made for another place answers with a fault. */
export interface Place {
  readonly partition: number;
  readonly partitions: number;
}

/** Who makes a change: a token's id, or `admin`. */
export type Actor = string;

/** A head as the Registry knows it; the edge adds its age, and whether its own key fits. */
export type HeadSummary = Omit<DomainSummary, "age" | "key_fits">;

/** A token as the Registry records it; the edge adds whether its own key fits. */
export type KeptToken = Omit<TokenRecord, "key_fits">;

export type PartitionStatus = RegistryStatus["partitions"][number];

/** One page of a listing. */
export interface Page<T> {
  /** The last line of the page before, null for the first one. */
  readonly after: T | null;
  readonly limit: number;
}

/** A revoked token, as one partition takes it over from the first. */
export interface Revocation {
  readonly id: string;
  /** When the token expires by itself, Unix milliseconds; null: never. */
  readonly expires: number | null;
}

/** A change that was made, and the point in the log at which every isolate will see it. */
export interface Changed<T> extends Position {
  readonly result: T;
}

export interface RegistryApi {
  question(question: Question): Promise<Result<QuestionAnswer>>;
  /**
   * Bytes of a shard or of departures, null where the Registry does not hold them.
   * @param isMissed whether a check looked for them in KV, and KV has none or others
   */
  blob(domain: string, id: string, isMissed: boolean): Promise<Result<Uint8Array | null>>;
  /** Keeps a shard for a day; a commit that names it keeps it for good. */
  putShard(domain: string, id: string, bytes: Uint8Array): Promise<Result<null>>;
  commit(request: CommitRequest, by: Actor): Promise<Result<Changed<CommitResult>>>;
  /** What the guard would say of a commit. Changes nothing. */
  plan(request: PlanRequest): Promise<Result<PlanResult>>;
  rollback(domain: string, request: RollbackRequest, by: Actor): Promise<Result<Changed<HeadResult>>>;
  /** Leaves a tombstone. */
  remove(domain: string, expect: number, by: Actor): Promise<Result<Changed<HeadResult>>>;
  /** The head's manifest, null where the domain has none. */
  head(domain: string): Promise<Result<Uint8Array | null>>;
  /** By name. Without a page everything, where that is little: isolates of an earlier release ask so. */
  domains(page?: Page<string>): Promise<Result<readonly HeadSummary[]>>;
  /** Those of the named domains that have a head. */
  domainsNamed(names: readonly string[]): Promise<Result<readonly HeadSummary[]>>;
  /** Newest first, `after` being a number. */
  generations(domain: string, page?: Page<number>): Promise<Result<readonly GenerationRecord[] | null>>;
  keepToken(token: KeptToken, by: Actor): Promise<Result<null>>;
  tokens(): Promise<Result<readonly KeptToken[]>>;
  /**
   * Null where no such token was issued. A Registry that has not begun keeps the id for when it does, and answers
   * `uninitialised`.
   */
  revokeToken(id: string, expires: number | null, by: Actor): Promise<Result<Changed<KeptToken | null>>>;
  isRevoked(id: string): Promise<Result<boolean>>;
  /** Every revocation that is kept. The first partition records all of them, and others take them over from it. */
  revocations(): Promise<Result<readonly Revocation[]>>;
  /** Makes the Registry what it is; where that was done before, it takes over the revocations that it lacks. */
  initialise(by: Actor): Promise<Result<PartitionStatus>>;
  status(): Promise<Result<PartitionStatus>>;
  /** What isolates counted, of the last hour and day. */
  counted(): Promise<Result<readonly Counted[]>>;
  audit(): Promise<Result<readonly AuditRecord[]>>;
}
