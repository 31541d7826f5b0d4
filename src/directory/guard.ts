/** What the guard has to judge: how much a commit would refuse that was accepted or deferred before (law 4). */
export interface GuardCase {
  /** Names that the largest generation of the last day accepts or defers. */
  readonly accepted: number;
  /** How many of them would be refused. Null where the two cannot be compared: another key, case or dots. */
  readonly lost: number | null;
  /** Names that the new generation accepts or defers. */
  readonly remaining: number;
  /** Policy settings that change, and whose effect cannot be counted. */
  readonly uncountable: readonly string[];
  /** Whether the list may be empty: an alias, or a catch-all. */
  readonly mayBeEmpty: boolean;
  /** Share of names that may go at one time. */
  readonly share: number;
}

/** Why the guard refuses, for people, or null where it does not. */
export function guardRefusal(it: GuardCase): string | null {
  const { accepted, lost, remaining, share } = it;
  if (it.uncountable.length > 0) {
    return `changes ${it.uncountable.join(", ")}, whose effect on who is accepted cannot be counted`;
  }
  if (lost === null) {
    return `is made under another key or spelling: ${accepted} names cannot be compared with the ${remaining} new ones`;
  }
  if (remaining === 0 && !it.mayBeEmpty) {
    return accepted === 0
      ? "is empty: every recipient would be refused"
      : `would refuse all ${accepted} names`;
  }
  if (accepted > 0 && lost === accepted && !it.mayBeEmpty) return `would refuse all ${accepted} names`;
  if (lost <= 1) return null;
  // 0.29 of 100 is 28.999999999999996 in binary; a billionth of a name is nobody.
  if (lost > share * accepted + 1e-9) {
    const percent = (100 * lost) / accepted;
    const allowed = Number((100 * share).toFixed(6));
    return `would refuse ${lost} of ${accepted} names (${percent.toFixed(1)} %), more than ${allowed} %`;
  }
  return null;
}
