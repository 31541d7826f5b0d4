/** A domain's settings, mode and counts, as several answers hold them. */
import * as v from "valibot";
import { type DomainPolicy, ENTRY_STATES, type EntryState, MODES } from "../../directory/index.ts";
import { described, flag, kind, knownWord, named, open, type Schema, text, whole } from "../schema.ts";

export const mode = knownWord(...MODES);

/** How many names a list has in each state. */
export const counts = named(
  "Counts",
  open(
    Object.fromEntries<Schema<number>>(ENTRY_STATES.map((state) => [state, whole])) as Record<
      EntryState,
      Schema<number>
    >,
  ),
);

export const settings = {
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
