/** The question to the Registry about its log, "what changed since N?", and the answer. */
import type { ErrorBody } from "./answers/errors.ts";

/** A point in the log of numbers. */
export interface Position {
  readonly incarnation: number;
  readonly number: number;
}

/** "What changed since N?" */
export interface Question {
  readonly since: Position | null;
  /** A domain whose manifest is wanted too, since KV did not have it new enough. */
  readonly want: string | null;
  /**
   * When everything is asked for: how many heads, and how many revocations, at most. If there are more of either,
   * none are listed, and the answer is not full. Left out: all of them, as by a release that knows of no limit.
   */
  readonly most?: number;
  /** What the isolate counted since its last question. Never sent twice: what is lost on the way is lost. */
  readonly counts?: readonly Count[];
  /** Distinct names that were asked for since, as sketches. Never sent twice either. */
  readonly asked?: readonly Asked[];
  /** Set if a replica asks; its answer lists no revocations. */
  readonly replica?: ReplicaQuestion;
}

/** What a Registry needs to answer a replica. */
export interface ReplicaQuestion {
  /** Id of its token, null for admin. */
  readonly token: string | null;
  /** Domains that the token covers, null for all. */
  readonly domains: readonly string[] | null;
  /** Lists heads of higher numbers only: `next` of the page before, null for the first one. */
  readonly after: number | null;
}

/** What a replica is told beside the heads. */
export interface ReplicaAnswer {
  /** The Registry's clock, Unix milliseconds. */
  readonly time: number;
  /** Whether the token is revoked. Then nothing is listed. */
  readonly isRevoked: boolean;
  /** The newest number that was pruned; if it changes between two pages, the first is requested again. */
  readonly pruned: number;
  /** What the next page comes after, null on the last one. */
  readonly next: number | null;
}

/**
 * Answers of one domain, mode and verdict, or faults of one kind, with `fault` in place of the mode. The domain is
 * empty if it is none that is served here, or if there are too many to count apart.
 */
export type Count = readonly [domain: string, mode: string, word: string, count: number];

/**
 * Distinct names of one domain that were asked for, as a packed sketch in base64url. `group` is the number of names that left
 * together (directory/names/leaver-groups.ts). 0: names that enforce mode would refuse.
 */
export type Asked = readonly [domain: string, group: number, sketch: string];

/** Counts over the last hour and the last day. */
export type Counted = readonly [domain: string, mode: string, word: string, hour: number, day: number];

/** All of it is read in one synchronous step. */
export interface QuestionAnswer {
  readonly incarnation: number;
  /** The number up to which this answer is complete. */
  readonly asOf: number;
  /** Whether `heads` is everything there is, and not only what changed since. */
  readonly full: boolean;
  readonly heads: readonly (readonly [domain: string, number: number])[];
  readonly revoked: readonly string[];
  /** The manifest that was wanted; its bytes are null if the domain has no head. */
  readonly wanted: { readonly domain: string; readonly manifest: Uint8Array | null } | null;
  /** Only where a replica asked. */
  readonly replica?: ReplicaAnswer;
}

/** Whether an answer lists nothing, since it would be too much: all of it was asked for, and it is not full. */
export const listsNothing = (since: Position | null, answer: QuestionAnswer): boolean =>
  since === null && !answer.full;

/** An error of the contract, as it goes into a body. */
export type RegistryError = ErrorBody["error"];

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: RegistryError };
