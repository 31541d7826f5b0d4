/** What comes of commits, plans, rollbacks and deletions. */
import * as v from "valibot";
import { shardsIn } from "../commits.ts";
import { type Infer, listOf, mapOf, named, open, text, texts, whole } from "../schema.ts";

export const shardTable = named("ShardTable", shardsIn(open));
export type ShardTable = Infer<typeof shardTable>;

export const commitResult = named(
  "CommitResult",
  open({
    /** Number of each domain's head, now. */
    generations: mapOf(whole, "a whole number"),
    /** Domains that were so already, and got no new number. */
    unchanged: texts,
  }),
);
export type CommitResult = Infer<typeof commitResult>;

export const planResult = named(
  "PlanResult",
  open({
    /** Why the guard would refuse, by domain; null if it would not. */
    refusals: mapOf(v.nullable(text), "text or null"),
  }),
);
export type PlanResult = Infer<typeof planResult>;

/** The answer to changes of single mailboxes: how many were so. */
export const patchResult = named(
  "PatchResult",
  open({
    domain: text,
    /** The head that has the changes. */
    generation: whole,
    added: whole,
    removed: whole,
    /** Listed before and after, in different states. */
    changed: whole,
    /** Positions in `remove` of mailboxes that were not in the list; left out if all were. */
    unlisted: v.exactOptional(listOf(whole)),
    /**
     * From when on mailboxes are refused that were accepted until now, Unix milliseconds; until then they are deferred. Left out
     * if there are none, or if they are refused at once.
     */
    refused_from: v.exactOptional(whole),
  }),
);
export type PatchResult = Infer<typeof patchResult>;

/** The answer to a rollback or a deletion. */
export const headResult = named("HeadResult", open({ domain: text, generation: whole }));
export type HeadResult = Infer<typeof headResult>;
