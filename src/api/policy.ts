/** A domain's settings. */
import * as v from "valibot";
import { type DomainPolicy, POLICY_SETTINGS, policyFault } from "../directory/index.ts";
import { closed, documented, kind, named, type Schema } from "./schema.ts";

type Change = {
  readonly [K in keyof DomainPolicy]: v.ExactOptionalSchema<Schema<DomainPolicy[K]>, undefined>;
};

/** A setting to change, by the rule that the directory has for it. Its JSON Schema is that of the setting in an answer. */
const changeOf = (setting: keyof DomainPolicy): Schema =>
  documented(
    kind(
      (value) => policyFault(setting, value) === null,
      ({ input }) => policyFault(setting, input) as string,
      {},
    ),
    { setting },
  );

export const policyChange = named(
  "PolicyChange",
  closed(
    Object.fromEntries(
      POLICY_SETTINGS.map((setting) => [setting, v.exactOptional(changeOf(setting))]),
    ) as unknown as Change,
  ),
);
