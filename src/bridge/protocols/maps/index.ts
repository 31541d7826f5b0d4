import { access } from "./access.ts";
import { domains } from "./domains.ts";
import type { LookupMap } from "./lookup-map.ts";
import { recipients } from "./recipients.ts";
import { sendmail } from "./sendmail.ts";

/** Every map that the socketmap protocol serves, by name. */
export const MAPS: ReadonlyMap<string, LookupMap> = new Map(
  Object.entries({ recipients, domains, access, sendmail }),
);
