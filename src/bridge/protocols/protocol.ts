import type { Answer } from "../../directory/index.ts";

/** What a parser makes of the bytes that it was given. */
export type Parsed<Q> =
  | { readonly kind: "question"; readonly question: Q }
  /** Bytes that the protocol does not know. Nothing can be read after them. */
  | { readonly kind: "fault"; readonly why: string };

/**
 * Reads questions out of bytes, and knows nothing of answers. Bytes may come in any pieces. It holds no more than
 * one unfinished question and the bytes of the last piece.
 */
export interface Parser<Q> {
  /** Gives it more bytes, which nobody may change afterwards. */
  feed(bytes: Uint8Array): void;
  /** The next whole question or fault, null where more bytes are needed. After a fault: null. */
  next(): Parsed<Q> | null;
  /** Whether a question was begun and is not finished. */
  readonly isHalfWay: boolean;
}

/** How one question is answered. */
export type Exchange =
  | {
      readonly kind: "ask";
      readonly recipient: string;
      /** The bytes to send for an answer, as text. */
      reply(answer: Answer): string;
    }
  /** Answered without asking about anybody. */
  | { readonly kind: "say"; readonly reply: string; readonly verdict: Said };

/** What was said without asking, for metrics. */
export type Said = "no-recipient" | "invalid";

/** One protocol that an MTA looks recipients up by. */
export interface Protocol<Q = unknown> {
  readonly name: ProtocolName;
  /** Whether the connection is closed after one answer. */
  readonly once: boolean;
  parser(): Parser<Q>;
  exchange(question: Q): Exchange;
  /** The deferral for bytes that could not be read; the connection is closed after it. */
  fault(why: string): string;
}

export const PROTOCOL_NAMES = ["socketmap", "policy", "line"] as const;
export type ProtocolName = (typeof PROTOCOL_NAMES)[number];

/** The reply to a question that cannot be understood. */
export const deferral = (why: string): string => `451 4.3.0 ${why}`;
