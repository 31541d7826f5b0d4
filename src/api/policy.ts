/** A domain's settings, mode and counts, as several messages hold them. */
import * as v from "valibot";
import { type DomainPolicy, ENTRY_STATES, type EntryState, policyFault } from "../directory/index.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { closed, described, flag, kind, knownWord, named, open, type Schema, text, whole } from "./schema.ts";

/** The mode in an answer, and in a request. */
export const mode = knownWord("enforce", "observe");
export const origin = knownWord("registry", "kv");

/** How many names a list has in each state. */
export const counts = named(
  "Counts",
  open(Object.fromEntries(ENTRY_STATES.map((state) => [state, whole])) as Record<EntryState, Schema<number>>),
);

const settings = {
  delimiters: described(text, { maxLength: 4 }),
  catchall: flag,
  case: knownWord("insensitive", "sensitive"),
  dots: knownWord("significant", "ignored"),
  postmaster: flag,
  alias: v.nullable(text),
  text: v.nullable(described(text, { maxLength: 200 })),
  grace: whole,
  guard: kind<number>((value) => typeof value === "number", "must be a number", {
    type: "number",
    minimum: 0,
    maximum: 1,
  }),
} satisfies { readonly [K in keyof DomainPolicy]: Schema<DomainPolicy[K]> };

export const policy = named("Policy", open(settings));

type Change = {
  readonly [K in keyof DomainPolicy]: v.ExactOptionalSchema<Schema<DomainPolicy[K]>, undefined>;
};

/** Settings to change, each by the rule that the directory has for it. */
export const policyChange = named(
  "PolicyChange",
  closed(
    Object.fromEntries(
      Object.entries(settings).map(([name, setting]) => [
        name,
        v.exactOptional(
          kind(
            (value) => policyFault(name, value) === null,
            ({ input }) => policyFault(name, input) as string,
            jsonSchemaOf(setting),
          ),
        ),
      ]),
    ) as Change,
  ),
);
