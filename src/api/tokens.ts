/** Tokens: who may do what. */
import * as v from "valibot";
import { domainName, note } from "./commits.ts";
import { MAX_TOKEN_DOMAINS, MAX_TOKEN_LIFE } from "./limits.ts";
import {
  closed,
  flag,
  type Infer,
  kind,
  knownWord,
  listOf,
  named,
  oneOf,
  open,
  orNull,
  text,
  texts,
  whole,
} from "./schema.ts";

const TOKEN_ROLES = ["check", "publish", "replica"] as const;

/** A role that tokens have. The secret admin token has the role `admin`. */
export type TokenRole = (typeof TOKEN_ROLES)[number];
export type Role = TokenRole | "admin";

export const tokenId = kind<string>(
  (value) => typeof value === "string" && /^[0-9a-f]{16}$/.test(value),
  "must be 16 lower-case hexadecimal digits",
  { type: "string" },
);

/** `POST /v1/tokens`. */
export const tokenRequest = named(
  "TokenRequest",
  closed({
    role: oneOf(...TOKEN_ROLES),
    /** Null or left out: every domain; not for publish. A replica token for an alias names its target too. */
    domains: v.exactOptional(v.nullable(listOf(domainName, MAX_TOKEN_DOMAINS))),
    /** Seconds until it expires; null or left out: never. */
    expires_in: v.exactOptional(
      v.nullable(
        kind<number>(
          (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_TOKEN_LIFE,
          `must be a whole number of seconds from 1 to ${MAX_TOKEN_LIFE}`,
          { type: "integer", minimum: 1, maximum: MAX_TOKEN_LIFE },
        ),
      ),
    ),
    note,
  }),
);
export type TokenRequest = Infer<typeof tokenRequest>;

const record = {
  id: text,
  role: knownWord(...TOKEN_ROLES),
  domains: orNull(texts),
  /** Unix milliseconds, null: never. */
  expires: orNull(whole),
  created: whole,
  revoked: orNull(whole),
  note: orNull(text),
  /** Id of the key that it was made under; null where an earlier release made it. */
  key_id: orNull(text),
  /** Whether that is the edge's key: tokens made under another key are not accepted. Null where it is not known. */
  key_fits: orNull(flag),
};

export const tokenRecord = named("TokenRecord", open(record));
export type TokenRecord = Infer<typeof tokenRecord>;

export const tokenCreated = named("TokenCreated", open({ ...record, token: text }));
export type TokenCreated = Infer<typeof tokenCreated>;

export const tokenList = named("TokenList", open({ tokens: listOf(tokenRecord) }));
export type TokenList = Infer<typeof tokenList>;
