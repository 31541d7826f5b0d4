import * as v from "valibot";
import { ENTRY_STATES, type EntryState } from "../../directory/index.ts";
import { tableSetting } from "./settings.ts";

/** What a source says of a mailbox's state, and which no word of it means. */
export interface UnknownState {
  /** The message about it. */
  readonly fault: string;
}

/** The words with which a source says in which state a mailbox is. */
export interface StateWords {
  /**
   * The state that a value of the source means. Flags and numbers are words as they are written. Nothing (null, undefined
   * or an empty text) means active unless the settings say otherwise.
   */
  read(value: unknown): EntryState | UnknownState;
  /** For a value that is no word in this kind of source, whatever it is. */
  unknown(value: unknown): UnknownState;
}

/** `states = { enabled = "active", locked = "disabled" }`, for every kind of source that can tell states. */
export const STATES_SETTING = v.optional(
  tableSetting(
    v.record(
      v.string(),
      v.picklist(ENTRY_STATES, `must name states: ${ENTRY_STATES.join(", ")}`),
      "must be a table of the source's words and what they mean",
    ),
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
  const unknown = (value: unknown): UnknownState => {
    const text = shown(wordOf(value) ?? JSON.stringify(value));
    const hint =
      words === undefined ? `use one of ${ENTRY_STATES.join(", ")}` : "add it to `states` of the source";
    return { fault: `unknown state "${text}": ${hint}` };
  };
  return {
    read: (value) => {
      const word = wordOf(value);
      if (word === null) return unknown(value);
      // Most words are written as they are listed.
      return known.get(word) ?? known.get(word.trim().toLowerCase()) ?? unknown(word);
    },
    unknown,
  };
}

/** A value as a word; null for one that cannot be one. */
function wordOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  const isWord = typeof value === "boolean" || typeof value === "number" || typeof value === "bigint";
  return isWord ? String(value) : null;
}

export const PLAIN_STATES = stateWords();

/** A word of the source, short enough for a message. */
export const shown = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
