/** A domain's settings. */
import * as v from "valibot";
import { type DomainPolicy, policyFault } from "../directory/index.ts";
import { closed, described, flag, kind, knownWord, named, type Schema, text, whole } from "./schema.ts";

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

type Change = {
  readonly [K in keyof DomainPolicy]: v.ExactOptionalSchema<Schema<DomainPolicy[K]>, undefined>;
};

/** A setting to change: checked by the directory's rule, and described as in an answer. */
const changeOf = (name: string, wrapped: Schema): Schema => {
  const checked = kind<unknown>(
    (value) => policyFault(name, value) === null,
    ({ input }) => policyFault(name, input) as string,
    {},
  );
  return { ...checked, wrapped } as Schema;
};

export const policyChange = named(
  "PolicyChange",
  closed(
    Object.fromEntries(
      Object.entries<Schema>(settings).map(([name, it]) => [name, v.exactOptional(changeOf(name, it))]),
    ) as unknown as Change,
  ),
);
