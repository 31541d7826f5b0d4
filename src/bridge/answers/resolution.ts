import type { Answer } from "../../directory/index.ts";
import type { DeferralReason } from "./deferral-reason.ts";

/**
 * How an answer was found. `replica`: from the list on this host; `grace`: an accept that holds while the edge is away;
 * `local`: no list is involved; `none`: there was no answer.
 */
export type FoundBy = "edge" | "cache" | "replica" | "grace" | "local" | "none";

/** What the bridge answers about one recipient. */
export interface Resolution {
  readonly answer: Answer;
  readonly source: FoundBy;
  /** Why the recipient is deferred, if no verdict of the source says so. */
  readonly reason?: DeferralReason;
  /** Until when a refusal may be given. Absent if the answer does not expire. */
  readonly until?: number;
  /** Whether the source should be asked once more, soon after this answer. */
  readonly needsFollowUp?: true;
}
