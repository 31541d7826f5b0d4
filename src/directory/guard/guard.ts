import { plural } from "../plural.ts";

/** A list of the last day, and what a commit would do to it. */
export interface GuardedCount {
  readonly generation: number;
  /** Names that it accepts or defers. */
  readonly accepted: number;
  /** How many of them are refused before the commit. */
  readonly lostBefore: number;
  /** How many of them would be refused after it. */
  readonly lost: number;
}

/** What the guard judges: how many names that were accepted or deferred a commit would refuse (law 4). */
export interface GuardCase {
  /** Lists that were heads within the last 24 h, the newest last. Null if key, case or dots differ: no comparison. */
  readonly lists: readonly GuardedCount[] | null;
  /** Names that the newest of them accepts or defers. */
  readonly accepted: number;
  /** Names that the new generation accepts or defers. */
  readonly remaining: number;
  /** Policy settings that change and whose effect cannot be counted. */
  readonly uncountable: readonly string[];
  /** Whether the list may be empty: an alias, or a catch-all. */
  readonly mayBeEmpty: boolean;
  /** Whether the new generation has patterns that accept or defer, so that a first list needs no names. */
  readonly hasPatterns: boolean;
  /** Share of names that may be lost at one time. */
  readonly share: number;
  /** Names below a catch-all that are refused from now on: by this commit, and within the day. */
  readonly hidden?: { readonly now: number; readonly today: number };
}

/** So many names below a catch-all may be refused in a day: a few are spam traps. Nobody knows of how many they are a share. */
const MOST_HIDDEN = 50;

/** Why the guard refuses, as text for people, or null if it does not. */
export function guardRefusal(it: GuardCase): string | null {
  const { lists, accepted, remaining, share, mayBeEmpty } = it;
  if (it.uncountable.length > 0) {
    return `changes ${it.uncountable.join(", ")}, whose effect on who is accepted cannot be counted`;
  }
  if (lists === null) {
    return `is made under another key or spelling: ${plural(accepted, "name")} cannot be compared with the ${plural(remaining, "new one")}`;
  }
  if (remaining === 0 && !mayBeEmpty && !(accepted === 0 && it.hasPatterns)) {
    return accepted === 0 ? "is empty: every recipient would be refused" : `would refuse ${allOf(accepted)}`;
  }
  const newest = lists.at(-1);
  const isRefused = (list: GuardedCount): boolean => {
    // An older list of one name may lose it, since that is not the last name of the newest list.
    const mayNotEnd = !mayBeEmpty && (list === newest || list.accepted > 1);
    return isTooMuch(list, mayNotEnd, share);
  };
  const refused = lists.filter(isRefused);
  // Report the list that loses the largest share; of equal ones, the newest.
  let worst: GuardedCount | undefined;
  for (const list of refused) {
    if (worst === undefined || list.lost * worst.accepted >= worst.lost * list.accepted) worst = list;
  }
  if (worst !== undefined) return describe(worst, worst === newest, share);
  const { now, today } = it.hidden ?? { now: 0, today: 0 };
  if (now === 0 || today <= MOST_HIDDEN) return null;
  return `would refuse ${plural(today, "name")} that the catch-all accepted within 24 h, more than ${MOST_HIDDEN}`;
}

function isTooMuch({ accepted, lost, lostBefore }: GuardedCount, mayNotEnd: boolean, share: number): boolean {
  // A commit that makes this list no worse is allowed, so that a loss can be undone step by step.
  if (lost <= lostBefore) return false;
  if (lost === accepted && mayNotEnd) return true;
  // 0.29 * 100 is 28.999999999999996 in floating point, so a small tolerance is added.
  return lost > 1 && lost > share * accepted + 1e-9;
}

const allOf = (accepted: number): string => (accepted === 1 ? "the only name" : `all ${accepted} names`);

function describe({ generation, accepted, lost }: GuardedCount, isNewest: boolean, share: number): string {
  const which = isNewest ? "" : ` of generation ${generation}, which was live in the last 24 h`;
  if (lost === accepted) return `would refuse ${allOf(accepted)}${which}`;
  const percent = (100 * lost) / accepted;
  const allowed = Number((100 * share).toFixed(6));
  return `would refuse ${lost} of ${accepted} names${which} (${percent.toFixed(1)} %), more than ${allowed} %`;
}
