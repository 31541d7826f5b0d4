import type { Answer } from "../../directory/index.ts";
import type { Askers } from "./askers.ts";
import type { DeferralReason } from "./deferral-reason.ts";
import type { Heard } from "./min-generations.ts";

/** A question for the source. */
export interface Query {
  readonly recipient: string;
  readonly domain: string;
  /** Who waits for the answer: clients take turns. */
  readonly askers: Askers;
  /**
   * Highest generation that the host knows of the domain, 0 for none: what an answer of the edge must reach. Read when the
   * question is sent: it may rise until then.
   */
  minGeneration(): number;
  /** Highest generation that an answer named, 0 for none: what a list of this host must reach. */
  seenGeneration(): number;
  /** When the client needs its answer, in time of the bridge's clock. Nothing is sent after that. */
  readonly deadline: number;
}

export type SourceOutcome =
  /** `askedAt`: from when the answer's ages and its max_age count. */
  | {
      readonly kind: "answer";
      readonly answer: Answer;
      readonly askedAt: number;
      /** Whether the replica gave it, which can give it again at any time: it need not be cached. */
      readonly isLocal?: true;
      /** Whether the replica knows of something newer: it accepts since the edge does not answer. */
      readonly isSuperseded?: true;
      /** What the edge says, if that takes longer than the client can wait: newer, and kept for later questions. */
      readonly later?: Promise<SourceOutcome>;
    }
  | { readonly kind: "none"; readonly why: string; readonly reason?: DeferralReason };

/** Where answers about recipients come from: the edge over HTTP, or a replica on the mail host. */
export interface AnswerSource {
  /** Whether it answers, as far as is known. If not, only questions of waiting clients are worth asking. */
  readonly isAvailable: boolean;
  /**
   * The answer, if the source has all that it needs in memory; else null. Left out by a source that never has.
   * @param minGeneration highest generation seen of the domain, 0 for none
   */
  answerNow?(recipient: string, domain: string, minGeneration: number): Answer | null;
  /** What the host has heard of a domain's log by itself. Left out by a source that only asks others. */
  heard?(domain: string): Heard | null;
  /** An answer of the edge counts, or names its log without a verdict. Left out by a source that keeps no list. */
  learn?(recipient: string, domain: string, answer: Answer): void;
  /**
   * Asks about one recipient. The answer may be older than what is known: the caller checks. Ends by itself soon after
   * the deadline. Rejects only on a fault of the bridge.
   */
  ask(query: Query): Promise<SourceOutcome>;
}
