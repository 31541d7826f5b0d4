import type { Answer } from "../../directory/index.ts";

/** What a parser found in the bytes so far. */
export type Parsed<Q> =
  | { readonly kind: "question"; readonly question: Q }
  /** Bytes that are not of this protocol. Nothing after them can be read. */
  | { readonly kind: "fault"; readonly why: string };

/**
 * Reads questions from bytes, and knows nothing of answers. Bytes may arrive in any pieces. It holds at most one
 * unfinished question and the last piece.
 */
export interface Parser<Q> {
  /** Adds bytes, which must not change afterwards. */
  feed(bytes: Uint8Array): void;
  /** The next whole question or fault; null if more bytes are needed, and always null after a fault. */
  next(): Parsed<Q> | null;
  /** Whether a question has started and is not finished. */
  readonly isHalfWay: boolean;
  /** Takes out what a parser in another process needs to continue. */
  release(): ParserState;
}

/** What a parser had read and not used. Plain values, for a message between processes. */
export interface ParserState {
  /** Bytes of questions that were not taken yet. */
  readonly bytes: Uint8Array;
  /** What the next question depends on besides its bytes; null for nothing. A text of the parser's own. */
  readonly memory: string | null;
}

/** How one question is answered. */
export type Exchange =
  | {
      readonly kind: "ask";
      readonly recipient: string;
      /** The reply to send for an answer. ASCII. */
      reply(answer: Answer): string;
    }
  /** Answered without asking about a recipient. */
  | { readonly kind: "reply"; readonly reply: string; readonly verdict: LocalVerdict };

/** The verdict label of replies that needed no answer. */
export type LocalVerdict = "no-recipient" | "invalid";

/** A protocol, as far as counts and logs need it. */
export type NamedLookup = Pick<Protocol, "name">;

/** One protocol through which MTAs look up recipients. `Q` is its question. */
export interface Protocol<Q = unknown> {
  /** Names its setting, its flag, its label in metrics and its page in docs/bridge/. */
  readonly name: string;
  /** For `--help`, after "listen for". */
  readonly about: string;
  /** Whether the connection is closed after one answer. */
  readonly once: boolean;
  /** @param memory of the parser that read the connection before, in another process */
  parser(memory?: string | null): Parser<Q>;
  exchange(question: Q): Exchange;
  /** The deferral for bytes that cannot be read; the connection is closed after it. ASCII. */
  fault(why: string): string;
}
