import type { Answer } from "../directory/index.ts";

/** A key of Sendmail's access database: `from:a@b` is what is behind the tag `from`. */
export interface TaggedKey {
  /** In lower case. */
  readonly tag: string;
  readonly rest: string;
}

/** What a lookup table says. */
export type MapReply =
  | { readonly kind: "found"; readonly value: string }
  | { readonly kind: "not-found" }
  | { readonly kind: "temporary"; readonly why: string };

/** What a key asks: about a recipient, or nothing that anybody is asked about. */
export type Read =
  | { readonly kind: "ask"; readonly recipient: string; reply(answer: Answer): MapReply }
  | MapReply;

/** A lookup table that MTAs ask: which recipient a key asks about, and what its answer makes the table say. */
export interface LookupMap {
  /**
   * The recipient to ask about, or what is said without asking.
   * @param before the key just before it on the same connection, where that one had a tag
   */
  read(key: string, before?: TaggedKey): Read;
  reply(answer: Answer): MapReply;
}
