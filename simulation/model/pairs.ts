/** Which states of the model an answer may have come from, and what they say. */
import type { Answer } from "../../src/directory/index.ts";
import { mayBeDeferred, mayEnd } from "./coverable.ts";
import type { ModelDirectory } from "./directory.ts";
import { evaluate, type Generation, milderOf, REFUSALS, type Said } from "./generation.ts";
import type { Name } from "./names.ts";

/** A generation with the list that answered for it: its own, or that of the domain it is an alias of. */
export interface Pair {
  readonly own: Generation;
  readonly list: Generation;
}

/** Which generations an answer may have come from. Nothing else can have given its number. */
export function pairsOf(model: ModelDirectory, domain: string, number: number): Pair[] {
  const history = model.history(domain);
  const pairs: Pair[] = [];
  for (const own of history.named(number)) {
    const alias = own.deletedUntil === null ? own.policy.alias : null;
    if (alias === null) pairs.push({ own, list: own });
    else for (const list of model.history(alias).generations) pairs.push({ own, list });
  }
  for (const target of history.targets) {
    const { generations } = model.history(target);
    // The number may be the target's if that was the head; what answered may be newer.
    for (const named of model.history(target).named(number)) {
      const owns = history.generations.filter(
        (it) =>
          it.number < number &&
          it.deletedUntil === null &&
          it.policy.alias === target &&
          // Both were heads at one time: a number stands for a state.
          Math.max(it.since, named.since) < Math.min(it.until, named.until),
      );
      for (const list of generations) {
        if (list.log > named.log || (list.log === named.log && list.number >= number))
          for (const own of owns) pairs.push({ own, list });
      }
    }
  }
  return pairs;
}

export function saidBy({ own, list }: Pair, name: Name, now: number): Said {
  return evaluate(list, name, now, Math.max(own.refusesFrom, list.refusesFrom));
}

/** The same if the list-wide grace waits for names that are in doubt. */
const saidLate = ({ own, list }: Pair, name: Name, now: number): Said =>
  evaluate(list, name, now, Math.max(own.mayRefuseFrom, list.mayRefuseFrom));

function isSaid(answer: Answer, pair: Pair, name: Name, now: number): boolean {
  const isSame = ({ verdict, matched }: Said): boolean =>
    answer.verdict === verdict && answer.matched === matched;
  const said = saidBy(pair, name, now);
  if (isSame(said) || isSame(saidLate(pair, name, now))) return true;
  const isEnding = mayEnd(pair.list, name, now);
  if (answer.verdict === "departed")
    return (
      (isEnding || mayBeDeferred(pair.list, name, now)) &&
      answer.matched === null &&
      // Within the list-wide grace, too: the departures are asked first.
      REFUSALS.has(evaluate(pair.list, name, now, 0).verdict)
    );
  return isEnding && said.verdict === "departed" && isSame(withoutDepartures(pair, name, now));
}

const withoutDepartures = ({ own, list }: Pair, name: Name, now: number): Said =>
  saidBy({ own, list: { ...list, departures: new Map() } }, name, now);

/** Whether an answer says what a pair says, word for word. */
export function agrees(answer: Answer, pair: Pair, name: Name, now: number): boolean {
  if (!isSaid(answer, pair, name, now)) return false;
  // Across an alias the milder mode holds.
  const mode = milderOf(pair.own.mode, pair.list.mode);
  if (answer.mode !== mode) return false;
  const action = ACTION_OF[answer.verdict];
  if (!OBSERVED.has(answer.verdict) || mode === "enforce") return answer.action === action;
  if (mode === "observe") return answer.action === "accept";
  return answer.action === "defer" && (action === "defer" || answer.reply.startsWith("450 4.7.1 "));
}

const OBSERVED: ReadonlySet<string> = new Set([
  "unknown",
  "disabled",
  "moved",
  "malformed",
  "full",
  "departed",
]);
const ACTION_OF: Readonly<Record<string, string>> = {
  deliverable: "accept",
  unknown: "reject",
  disabled: "reject",
  moved: "reject",
  "not-served": "reject",
  malformed: "reject",
  departed: "defer",
  full: "defer",
};

/** How long ago the last moment was at which both were heads; null if there was none. */
export function ageOf({ own, list }: Pair, now: number): number | null {
  const from = Math.max(own.since, list.since);
  const to = Math.min(own.until, list.until);
  return from < to ? Math.max(0, now - to) : null;
}

/** How long one of them has not been the head. */
export const supersededFor = ({ own, list }: Pair, now: number): number =>
  Math.max(0, now - own.until, now - list.until);

export const seconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : "ever");

export function words(answer: Answer): string {
  const from = answer.generation === null ? "" : ` from generation ${answer.generation}`;
  const age = answer.confirmed_age === null ? "" : `, confirmed ${answer.confirmed_age} s ago`;
  return `"${answer.reply.slice(0, 90)}" (${answer.verdict}${from}${answer.mode === "enforce" ? "" : `, ${answer.mode}`}${age})`;
}
