/** What a publisher sends: shards, commits and plans. */
import * as v from "valibot";
import { isContentId, MODES, toALabel } from "../directory/index.ts";
import { MAX_COMMIT_DOMAINS, MAX_NOTE } from "./limits.ts";
import { policyChange } from "./policy.ts";
import {
  choice,
  closed,
  flag,
  type Infer,
  kind,
  listOf,
  named,
  oneOf,
  type open,
  type Schema,
  text,
  texts,
  whole,
} from "./schema.ts";

/** A domain in a request, in any spelling; read, it is in A-labels. */
export const domainName: Schema<string> = v.pipe(
  kind<string>(
    (value) => typeof value === "string" && toALabel(value) !== null,
    ({ input }) =>
      typeof input === "string"
        ? `is not a domain: ${input.slice(0, 100)}`
        : "is not a domain: it must be text",
    { type: "string" },
  ),
  v.transform((value) => toALabel(value) as string),
);

/** The id of a shard or of departures. */
export const contentId = kind<string>(
  (value) => typeof value === "string" && isContentId(value),
  "must be a SHA-256 in 64 lower-case hexadecimal digits",
  { type: "string" },
);

/** Kept in the history, for people. */
export const note = v.exactOptional(
  v.nullable(
    kind<string>(
      (value) => typeof value === "string" && value.length <= MAX_NOTE,
      `must be text of at most ${MAX_NOTE} characters`,
      { type: "string", maxLength: MAX_NOTE },
    ),
  ),
);

const zero = kind<0>((value) => value === 0, "must be 0 beside an inline shard", { const: 0 });

/** A list's shards, in an answer or in a request: 2^bits content ids in order, or the only shard's bytes in base64url. */
export const shardsIn = (object: typeof open) => {
  const byId = object({ bits: whole, ids: texts });
  const inline = object({ bits: v.exactOptional(zero, 0), inline: text });
  return choice<typeof byId | typeof inline>([byId, inline], (value) =>
    has(value, "inline") ? inline : byId,
  );
};

const has = (value: unknown, member: string): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, member);

/** The domains of one commit or plan, each once. */
const domainsOf = <T extends { domain: string }>(each: Schema<T>): Schema<T[]> => {
  const list = listOf(each, MAX_COMMIT_DOMAINS);
  return v.pipe(
    list,
    v.check(
      (domains) => new Set(domains.map(({ domain }) => domain)).size === domains.length,
      "names a domain twice",
    ),
  );
};

/**
 * The table of the list's patterns in base64url, a shard of at most 2,000 of them. Left out if there are none; with it,
 * `canonicaliser` is 2.
 */
const patterns = v.exactOptional(text);

const domainCommit = closed({
  domain: domainName,
  /** The generation that this was planned against, null if the domain has no head. */
  expect: v.nullable(whole),
  epoch: whole,
  key_id: text,
  canonicaliser: whole,
  /** Sentinels under the policy that results: proof that both sides canonicalise alike. */
  sentinels: texts,
  /** Settings to change; those left out keep their value. */
  policy: v.exactOptional(policyChange),
  mode: v.exactOptional(oneOf(...MODES)),
  shards: named("NewShardTable", shardsIn(closed)),
  patterns,
  /**
   * Required if single changes were made since the last publish: the fingerprints, 10 bytes each in base64url, of names
   * that the list has only because of them. They are asked about again; the others are settled.
   */
  patched_kept: v.exactOptional(text),
  /**
   * Names that the list has as disabled or moved and that the head accepts without listing them, by their stem, a pattern or as
   * postmaster: 6 bytes each in base64url, as in a plan. Left out, all that it newly has so are taken for such names.
   */
  covered: v.exactOptional(text),
});
export type DomainCommit = Infer<typeof domainCommit>;

/** `POST /v1/commits`: all of it happens, or nothing. */
export const commitRequest = named(
  "CommitRequest",
  closed({
    domains: domainsOf(domainCommit),
    /** Overrides the guard; recorded. */
    force: v.exactOptional(flag),
    note,
  }),
);
export type CommitRequest = Infer<typeof commitRequest>;

const namesOfHead = closed({ gone: text, back: text });
const namesOfTombstone = closed({ accepted: text });

/**
 * Names by the 48-bit tails of their fingerprints: 6 bytes each, big-endian, ascending, in base64url. Against a head
 * those that it accepts or defers and the new list does not, and the reverse; against a tombstone all that the new list
 * accepts or defers.
 */
const plannedNames = choice<typeof namesOfHead | typeof namesOfTombstone>(
  [namesOfHead, namesOfTombstone],
  (value) => (has(value, "accepted") ? namesOfTombstone : namesOfHead),
);
export type PlannedNames = Infer<typeof plannedNames>;

const plannedDomain = closed({
  domain: domainName,
  /** The generation that this was planned against. */
  expect: whole,
  key_id: text,
  canonicaliser: whole,
  policy: v.exactOptional(policyChange),
  patterns,
  /** Names that the new list accepts or defers. */
  accepted: whole,
  names: plannedNames,
  /** Names that the new list has as disabled or moved, and that only the catch-all accepts until now. */
  hidden: v.exactOptional(whole),
});
export type PlannedDomain = Infer<typeof plannedDomain>;

/** `POST /v1/plans`: what a commit would change, for the guard to judge beforehand. Nothing is stored. */
export const planRequest = named("PlanRequest", closed({ domains: domainsOf(plannedDomain) }));
export type PlanRequest = Infer<typeof planRequest>;

/** `PATCH /v1/domains/{domain}/mode`. Without `expect`, it applies to whatever list is the head. */
export const modeRequest = named(
  "ModeRequest",
  closed({ mode: oneOf(...MODES), expect: v.exactOptional(whole), note }),
);
export type ModeRequest = Infer<typeof modeRequest>;

/** `POST /v1/domains/{domain}/rollback`. */
export const rollbackRequest = named(
  "RollbackRequest",
  closed({
    to: whole,
    expect: whole,
    note,
    /**
     * What becomes of names that were removed with `now` since: `keep`, the default, removes them from that list again; `drop`
     * leaves it as it was.
     */
    patched: v.exactOptional(oneOf("keep", "drop")),
  }),
);
export type RollbackRequest = Infer<typeof rollbackRequest>;
