import type { ClientFault } from "../../client/index.ts";

/**
 * Why a recipient was deferred although the source gave no such verdict; a label of metrics. The kinds of
 * {@link ClientFault} are those of a request to the edge that failed.
 */
export type DeferralReason =
  | ClientFault
  /** No answer in time. */
  | "timeout"
  /** Too many questions waited. */
  | "busy"
  /** The circuit breaker is open. */
  | "breaker"
  /** The source gave no answer, for another reason. */
  | "no-answer"
  /** Refused from an older generation than one seen before, or from an answer that was too old when it arrived. */
  | "stale"
  /** A fault of the bridge. */
  | "fault";
