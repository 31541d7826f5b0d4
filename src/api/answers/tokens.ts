/** Tokens, as they are listed. */
import { flag, type Infer, knownWord, listOf, named, open, orNull, text, texts, whole } from "../schema.ts";
import { TOKEN_ROLES } from "../tokens.ts";

const record = {
  id: text,
  role: knownWord(...TOKEN_ROLES),
  domains: orNull(texts),
  /** Unix milliseconds, null: never. */
  expires: orNull(whole),
  created: whole,
  revoked: orNull(whole),
  note: orNull(text),
  /** Id of the key that it was made under. */
  key_id: text,
  /** Whether that is the edge's key: tokens made under another key are not accepted. */
  key_fits: flag,
};

export const tokenRecord = named("TokenRecord", open(record));
export type TokenRecord = Infer<typeof tokenRecord>;

export const tokenCreated = named("TokenCreated", open({ ...record, token: text }));
export type TokenCreated = Infer<typeof tokenCreated>;

export const tokenList = named(
  "TokenList",
  open({
    tokens: listOf(tokenRecord),
    /** What the next page comes after, null on the last one. */
    next: orNull(text),
  }),
);
export type TokenList = Infer<typeof tokenList>;
