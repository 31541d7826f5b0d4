/** How lists stand, and their history. */
import { flag, type Infer, knownWord, listOf, named, open, orNull, text, whole } from "../schema.ts";
import { shardTable } from "./commits.ts";
import { counts, mode, policy } from "./policy.ts";

const summary = {
  domain: text,
  generation: whole,
  /** When the head was made, Unix milliseconds. */
  time: whole,
  /** Seconds since then, by the edge's clock. */
  age: whole,
  mode,
  counts,
  alias: orNull(text),
  /** Set if the domain was deleted: deferred until then, Unix milliseconds. */
  deleted_until: orNull(whole),
  /**
   * Set during a list-wide grace: every refusal of the domain is deferred until then, Unix milliseconds. Null without one,
   * or from an edge that does not say.
   */
  refuses_from: orNull(whole),
  /** The key that the head was made under. */
  epoch: whole,
  key_id: text,
  /**
   * Whether it is the edge's key for this domain. If it is not, every check of the domain is deferred (law 5).
   */
  key_fits: flag,
  /** Patterns of the list, null if that is not known. They are not among `counts`. */
  patterns: orNull(whole),
  /**
   * Set if the brake holds names that left: `held` of them are deferred until a person decides, since `since`, Unix
   * milliseconds. `asked` distinct ones of `left` that left together were asked for.
   */
  brake: orNull(open({ held: whole, since: whole, left: whole, asked: whole })),
  /** About how many distinct names enforce mode would have refused in the last day; null in enforce mode, or if not known. */
  would_refuse: orNull(whole),
  /**
   * Names in a shard of the list, on average and rounded up: names spread evenly. Single changes cannot make a shard larger
   * than 65,535; a publish makes more shards. Null if that is not known.
   */
  names_per_shard: orNull(whole),
  /** Names whose single changes no publish has settled, counted up to 10,000. */
  open_changes: whole,
  /**
   * Set if what the Registry has of the head is damaged or lost: checks that need it are deferred, and nothing is made from
   * it. The other members may then be wrong, but for `domain` and `generation`.
   */
  fault: orNull(text),
};

/** One line of `GET /v1/domains`: how a list stands, without any of its names. */
export const domainSummary = open(summary);
export type DomainSummary = Infer<typeof domainSummary>;

export const domainList = named(
  "DomainList",
  open({
    domains: listOf(domainSummary),
    /** What the next page comes after, null on the last one. */
    next: orNull(text),
  }),
);
export type DomainList = Infer<typeof domainList>;

/** How KV stands against the head; `ahead`: it has a generation that the Registry lost. */
const kvState = knownWord(
  "equal",
  "behind",
  "ahead",
  "missing",
  "conflict",
  "damaged",
  "other-key",
  "unreadable",
);
export type KvState = Infer<typeof kvState>;

/** `GET /v1/domains/{domain}`. */
export const domainDescription = named(
  "DomainDescription",
  open({
    ...summary,
    partition: whole,
    policy,
    canonicaliser: whole,
    shards: shardTable,
    departures: whole,
    /** The table of patterns in base64url, null if there are none. */
    pattern_table: orNull(text),
    /**
     * Names that single changes changed since the last publish, as of a generation: in base64url, 12 bytes each. Those are
     * the fingerprint, the state then and the state now, each an index into active, disabled, full, moved; 255: not listed.
     * `at_once` has the fingerprints of those that were refused with `now`. Null from an edge that does not know.
     */
    patched: open({ generation: whole, names: text, at_once: text }),
    kv: open({ state: kvState, generation: orNull(whole) }),
  }),
);
export type DomainDescription = Infer<typeof domainDescription>;

/** `GET /v1/domains/{domain}/key`; the domain need not exist yet. */
export const domainKeyBody = named(
  "DomainKeyBody",
  open({
    domain: text,
    epoch: whole,
    /** The secret, base64url. Keep it in memory only. */
    key: text,
    key_id: text,
    canonicaliser: whole,
    partition: whole,
  }),
);
export type DomainKeyBody = Infer<typeof domainKeyBody>;

/** One line of a domain's history. */
const generationRecord = open({
  generation: whole,
  time: whole,
  action: knownWord("commit", "patch", "mode", "brake", "release", "rollback", "delete"),
  /** Id of the token that made it, or `admin`. */
  by: text,
  forced: flag,
  note: orNull(text),
  mode,
  counts,
  departures: whole,
});
export type GenerationRecord = Infer<typeof generationRecord>;

export const generationList = named(
  "GenerationList",
  open({
    domain: text,
    generations: listOf(generationRecord),
    /** What the next page comes after, null on the last one. */
    next: orNull(whole),
  }),
);
export type GenerationList = Infer<typeof generationList>;

/** `GET /v1/domains/{domain}/rollback?to=N`: what becomes of single changes if that generation's list is the head again. */
export const rollbackPlan = named(
  "RollbackPlan",
  open({
    domain: text,
    /** The head's number. */
    generation: whole,
    to: whole,
    /** Names whose single changes are open again, as they were then. */
    reopened: open({ added: whole, removed: whole, changed: whole }),
    /** Names that were refused with `now` since, and are refused in that list, too. */
    refused_again: whole,
    /** Names whose single changes end, since they were made later. */
    ended: whole,
    /** Names that were refused with `now` since, and cannot be found in that list: `patched` must be `drop`. */
    unknown: whole,
    /** Whether the journal of single changes does not reach back so far: `patched` must be `drop`. */
    forgotten: flag,
    /** Until when the domain would refuse nobody, Unix milliseconds; null if it may refuse at once. */
    refuses_from: orNull(whole),
    /** Names that left before and would lose the rest of a grace that is longer; null: that is not known. */
    lost_graces: orNull(whole),
    /** Names that left within a day, and that the brake would not watch any more. */
    unwatched: whole,
  }),
);
export type RollbackPlan = Infer<typeof rollbackPlan>;
