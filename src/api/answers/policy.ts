/** A domain's settings, mode and counts, as several answers hold them. */
import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";
import { settings } from "../policy.ts";
import { knownWord, named, open, type Schema, whole } from "../schema.ts";

export const mode = knownWord("enforce", "observe");
export const origin = knownWord("registry", "kv");

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

export const policy = named("Policy", open(settings));
