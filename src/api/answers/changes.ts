/** What a Registry answers to a replica. */
import { toALabel } from "../../directory/index.ts";
import { nonce } from "../changes.ts";
import { flag, type Infer, kind, listOf, named, open, orNull, whole } from "../schema.ts";

const head = kind<readonly [domain: string, number: number]>(
  (value) =>
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "string" &&
    toALabel(value[0]) === value[0] &&
    Number.isSafeInteger(value[1]) &&
    value[1] >= 0,
  "must be [domain, number]",
  {
    type: "array",
    prefixItems: [{ type: "string" }, { type: "integer", minimum: 0 }],
    minItems: 2,
    maxItems: 2,
  },
);

export const changesAnswer = named(
  "ChangesAnswer",
  open({
    nonce,
    partition: whole,
    /** How many there are. */
    partitions: whole,
    /** How long the answer confirms, counted from before the question; seconds. */
    window: whole,
    /** The Registry's clock, Unix milliseconds. */
    time: whole,
    incarnation: whole,
    /** The number up to which the answer is complete, once `next` is null. */
    as_of: whole,
    /** Whether the heads are all that the token covers, and not only what changed since. */
    full: flag,
    heads: listOf(head),
    /** The newest number that was pruned. A list whose pages differ in it must be requested from the start. */
    pruned: whole,
    /** What the next page comes after, null on the last one. */
    next: orNull(whole),
  }),
);
export type ChangesAnswer = Infer<typeof changesAnswer>;
