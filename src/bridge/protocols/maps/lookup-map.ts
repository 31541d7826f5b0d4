import type { Answer } from "../../../directory/index.ts";

/** A key of Sendmail's access database: `from:a@b` has the tag `from` and the rest `a@b`. */
export interface TaggedKey {
  /** In lower case. */
  readonly tag: string;
  readonly rest: string;
}

/** What a lookup table answers. */
export type MapReply =
  | { readonly kind: "found"; readonly value: string }
  | { readonly kind: "not-found" }
  | { readonly kind: "temporary"; readonly why: string };

/** A bare postmaster is a recipient (RFC 5321 §4.5.1); no other text without an `@` is. */
const POSTMASTER = /^<?postmaster>?$/i;

/** Whether a key is an address. Hosts, domains and networks have no `@`, and a key for a user of any domain ends in one. */
export const isRecipient = (key: string): boolean =>
  key.includes("@") ? !key.endsWith("@") : POSTMASTER.test(key);

export const NOT_FOUND: MapReply = { kind: "not-found" };

/** What a key needs: an answer about a recipient, or a reply that depends on none. */
export type Lookup =
  | { readonly kind: "ask"; readonly recipient: string; reply(answer: Answer): MapReply }
  | MapReply;

/** A lookup table that MTAs query: which recipient a key is about, and what the table replies. */
export interface LookupMap {
  /** @param previous the key just before it on the same connection, if that one had a tag */
  lookup(key: string, previous?: TaggedKey): Lookup;
  reply(answer: Answer): MapReply;
}
