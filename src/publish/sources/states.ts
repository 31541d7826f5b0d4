import * as v from "valibot";
import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";

/** The words with which a source says in which state a mailbox is. */
export interface StateWords {
  /** The state of a word; an empty one means active unless the settings say otherwise. Null for an unknown word. */
  stateOf(word: string): EntryState | null;
  /** The message about an unknown word. */
  unknown(word: string): string;
}

/** `states = { enabled = "active", locked = "disabled" }`, for every kind of source that can tell states. */
export const STATES_SETTING = v.optional(
  v.record(
    v.string(),
    v.picklist(ENTRY_STATES, `must name states: ${ENTRY_STATES.join(", ")}`),
    "must be a table of the source's words and what they mean",
  ),
);

/** @param words as set by the user; if there are any, they replace the names of the states. Case is ignored */
export function stateWords(words?: Readonly<Record<string, EntryState>>): StateWords {
  const known = new Map(
    words === undefined
      ? ENTRY_STATES.map((state) => [state as string, state] as const)
      : Object.entries(words).map(([word, state]) => [word.trim().toLowerCase(), state] as const),
  );
  if (!known.has("")) known.set("", "active");
  return {
    // Most words are written as they are listed.
    stateOf: (word) => known.get(word) ?? known.get(word.trim().toLowerCase()) ?? null,
    unknown: (word) =>
      `unknown state "${shown(word)}": ${
        words === undefined ? `use one of ${ENTRY_STATES.join(", ")}` : "add it to `states` of the source"
      }`,
  };
}

export const PLAIN_STATES = stateWords();

/** A word of the source, short enough for a message. */
export const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
