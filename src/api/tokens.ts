/** Creating and naming tokens. */
import * as v from "valibot";
import { domainName, note } from "./commits.ts";
import { MAX_TOKEN_DOMAINS, MAX_TOKEN_LIFE } from "./limits.ts";
import { closed, type Infer, kind, listOf, named, oneOf } from "./schema.ts";

export const TOKEN_ROLES = ["check", "publish", "replica"] as const;

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
    /**
     * Null: every domain; not for publish. A check by such a token refuses a domain without a list, so it must be said. A
     * replica token for an alias names its target too.
     */
    domains: v.nullable(listOf(domainName, MAX_TOKEN_DOMAINS)),
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
