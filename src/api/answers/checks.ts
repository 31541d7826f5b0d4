/** The answer to a check. */
import * as v from "valibot";
import { type Answer, VERDICTS, type Verdict } from "../../directory/index.ts";
import {
  choice,
  described,
  type Infer,
  knownWord,
  listOf,
  named,
  open,
  orNull,
  type Schema,
  text,
  whole,
} from "../schema.ts";
import { mode } from "./policy.ts";

/** The members of an answer, each by itself: a client reads them one by one. */
export const ANSWER_MEMBERS = {
  recipient: text,
  verdict: knownWord(...(Object.keys(VERDICTS) as Verdict[])),
  action: knownWord("accept", "reject", "defer"),
  reply: described(text, { maxLength: 500 }),
  matched: orNull(knownWord("mailbox", "pattern", "subaddress", "catch-all", "postmaster")),
  domain: orNull(text),
  generation: orNull(whole),
  incarnation: orNull(whole),
  mode: orNull(mode),
  confirmed_age: orNull(whole),
  contact_age: orNull(whole),
  max_age: whole,
  observed: v.exactOptional(text),
  detail: v.exactOptional(text),
} satisfies { readonly [M in keyof Answer]-?: Schema<Answer[M]> };

export const answer = named("Answer", open(ANSWER_MEMBERS));

export const checkResults = open({ results: listOf(answer) });
export type CheckResults = Infer<typeof checkResults>;

/** The answer about one recipient, or about a list. */
export const checkAnswer = named(
  "CheckAnswer",
  choice<typeof answer | typeof checkResults>([answer, checkResults], (value) =>
    v.is(checkResults, value) ? checkResults : answer,
  ),
);
