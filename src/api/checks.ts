/** The check of recipients: `POST /v1/rcpt` and `GET /v1/rcpt/{address}`. */
import * as v from "valibot";
import { type Answer, VERDICTS, type Verdict } from "../directory/index.ts";
import { mode, origin } from "./policy.ts";
import {
  choice,
  described,
  type Infer,
  kind,
  knownWord,
  listOf,
  mapOf,
  named,
  open,
  orNull,
  type Schema,
  text,
  texts,
  whole,
} from "./schema.ts";

/** The members of an answer, each by itself: a client reads them one by one. */
export const ANSWER_MEMBERS = {
  recipient: text,
  verdict: knownWord(...(Object.keys(VERDICTS) as Verdict[])),
  action: knownWord("accept", "reject", "defer"),
  reply: described(text, { maxLength: 500 }),
  matched: orNull(knownWord("mailbox", "subaddress", "catch-all", "postmaster")),
  domain: orNull(text),
  generation: orNull(whole),
  incarnation: orNull(whole),
  origin: orNull(origin),
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

/** Text that front ends send along. It decides nothing, so it is not checked. */
const unread = kind<string>(() => true, "", { type: "string" });

const context = {
  /** The highest generation that the client has seen, by domain: an older one is no answer (law 3). */
  floor: v.exactOptional(mapOf(whole, "a whole number")),
  client: v.exactOptional(unread),
  sender: v.exactOptional(unread),
};
const checkOne = open({ recipient: text, ...context });
const checkMany = open({ recipients: texts, ...context });
const checkNone = kind<never>(
  () => false,
  "must hold one of recipient (text) and recipients (a list of text)",
  {},
);

/** What a check may be asked with, as the members of an object or as a list of recipients alone. */
export const checkRequest = named(
  "CheckRequest",
  choice<typeof checkOne | typeof checkMany | typeof texts>([checkOne, checkMany, texts], (value) => {
    if (typeof value !== "object" || value === null) return checkOne;
    if (Array.isArray(value)) return texts;
    const { recipient, recipients } = value as Readonly<Record<string, unknown>>;
    if ((recipient === undefined) === (recipients === undefined)) return checkNone;
    return recipients === undefined ? checkOne : checkMany;
  }),
);
/** A request to check in its form of an object. */
export type CheckRequest = Infer<typeof checkOne> | Infer<typeof checkMany>;
