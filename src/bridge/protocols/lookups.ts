import { HOOKS } from "./hooks.ts";
import { PROTOCOLS } from "./index.ts";

/** All that answers lookups: the protocols, and MTA Hooks, which Node's HTTP server reads. */
export const LOOKUPS = { ...PROTOCOLS, [HOOKS.name]: HOOKS };
export type LookupName = keyof typeof LOOKUPS;
export const LOOKUP_NAMES = Object.keys(LOOKUPS) as readonly LookupName[];
