import { MAX_PLANNED_NAMES } from "../api/index.ts";
import {
  ACTIVE,
  acceptedCount,
  acceptsByPattern,
  atOnce,
  type Counts,
  comparable,
  comparePatterns,
  DEFAULT_POLICY,
  DISABLED,
  type Difference,
  type DomainPolicy,
  decodeShard,
  ENTRY_STATES,
  type EntryState,
  entriesOf,
  type GuardedCount,
  guardRefusal,
  isAcceptedState,
  isLost,
  isSamePatterns,
  isSameTable,
  losesByPattern,
  type Mode,
  milderMode,
  NO_COUNTS,
  POLICY_SETTINGS,
  TailColumn,
  uncountableChanges,
} from "../directory/index.ts";
import type { Base } from "./base.ts";
import { compareWithRemote } from "./compare.ts";
import { coveredOf, MAX_COVERED, NewlyRefused, type RefusedNames } from "./covered.ts";
import { compareWithExpected, type Expectations, type ExpectedList } from "./expected.ts";
import type { PackedList } from "./pack.ts";
import { type DecidedPatched, decidePatched, type PatchedPlan } from "./patched.ts";
import { notesOn } from "./plan-notes.ts";
import { type ReadSources, shrunkSources } from "./source-counts.ts";

/** What a domain should become. */
export interface Intent extends ExpectedList {
  /** Number of the Registry that holds the domain; each commit goes to one Registry. */
  readonly partition: number;
  /** Settings to change. Settings that are left out keep their value. */
  readonly policy: Partial<DomainPolicy>;
  /** Left out: unchanged. */
  readonly mode?: Mode;
  /** The mode with which a new domain starts if `mode` is left out; left out too: observe. */
  readonly initialMode?: Mode | undefined;
  /** The mode of rollcall.toml: a list goes down to it. Up needs a person's word, which is `mode`. */
  readonly settingsMode?: Mode | undefined;
  /** What becomes of single changes that the list does not know; undefined: nobody decided. */
  readonly decidedPatched?: DecidedPatched | undefined;
  /** Names that it refuses by an entry; undefined if nobody has their text. */
  readonly refused?: RefusedNames | undefined;
  /** What the sources of rollcall.toml gave, now and last; undefined: the list is from elsewhere. */
  readonly sources?: ReadSources | undefined;
}

/** Names, by their tails, that leave the list, or stay in it but will be rejected. */
export type Leaving = Map<number, "removed" | "refused">;

/** Names, by their tails, that join the list. */
export type Coming = Set<number>;

/** Names, by their tails, that stay in the list in another state, and go on accepting mail or start to. */
export type Changing = Map<number, { readonly from: EntryState; readonly to: EntryState }>;

/** Most tails of each kind that a plan keeps, to be named. */
export const MAX_NAMED = 1_000;

/** How many patterns differ between two lists. */
export interface PatternChanges {
  added: number;
  removed: number;
  /** In both, with different states. */
  changed: number;
}

/** Names, by their tails, that the guard needs to judge a plan. Null if there are too many to send. */
export type GuardNames =
  | { readonly gone: Float64Array; readonly back: Float64Array }
  | { readonly accepted: Float64Array };

/** What publishing would do to one domain. */
export interface DomainPlan extends Intent, Pick<Expectations, "missingCanaries" | "unmet"> {
  /** The list as it was read, without single changes that were kept; null if the plan is from a file. */
  readonly listed: PackedList | null;
  /** Null if the edge does not know of single changes. */
  readonly patched: PatchedPlan | null;
  readonly base: Base | null;
  /** Generation that the commit is conditioned on. */
  readonly expect: number | null;
  readonly resultingPolicy: DomainPolicy;
  readonly resultingMode: Mode;
  /** Settings that change, with their old and new values. */
  readonly changes: readonly { readonly setting: string; readonly from: unknown; readonly to: unknown }[];
  /** Null if names cannot be compared: another key, case or dots setting. */
  readonly difference: Difference | null;
  /**
   * Tails of names that are newly listed as disabled or moved, and that the head accepts without listing them; null if that is
   * not known, so that all of them are taken for such.
   */
  readonly covered: ReadonlySet<number> | null;
  /** How many of those that are newly listed so only the catch-all accepts. */
  readonly hidden: number;
  /** How many patterns differ. Those that leave, join or change are among the names that do. */
  readonly patternChanges: PatternChanges;
  readonly leaving: Leaving;
  /** Empty if the whole list is new. */
  readonly coming: Coming;
  readonly changing: Changing;
  readonly unchanged: boolean;
  /** Why the guard refuses, or null. Judged against the head alone, until {@link judgePlan} asks the edge. */
  readonly refusal: string | null;
  /** Which sources give less than they gave last: a sentence each. `--force` overrides this, as it does the guard. */
  readonly shrunk: readonly string[];
  readonly guardNames: GuardNames | null;
  readonly warnings: readonly string[];
}

/** The settings after a publish: those of the base, with the changes. */
export const resultingPolicy = (base: Base | null, changes: Partial<DomainPolicy>): DomainPolicy => ({
  ...(base === null ? DEFAULT_POLICY : base.policy),
  ...changes,
});

/** The mode if nobody says one now. A deletion does not end the mode. */
const modeWithoutWord = (
  base: Base | null,
  { initialMode = "observe", settingsMode }: Pick<Intent, "initialMode" | "settingsMode">,
): Mode => (base === null ? initialMode : milderMode(base.mode, settingsMode ?? base.mode));

/**
 * Compares what a domain should become with what it is.
 * @param progress called after each group of shards
 */
export async function planDomain(
  intent: Intent,
  base: Base | null,
  progress?: (done: number, of: number) => void,
): Promise<DomainPlan> {
  const { key } = intent;
  const live = base === null || base.deleted ? null : base;
  const policy = resultingPolicy(base, intent.policy);
  const mode = intent.mode ?? modeWithoutWord(base, intent);
  const { packed, patched } = decidePatched(intent.packed, {
    names: base?.patched ?? null,
    // After a deletion too: who was removed with `--now` stays so.
    comparable: base !== null && comparable(base, { policy, keyId: key.id }),
    decided: intent.decidedPatched,
  });
  const planned = { ...intent, packed };
  const leaving: Leaving = new Map();
  const coming: Coming = new Set();
  const changing: Changing = new Map();
  const names = new ChangedNames();
  const refused = new NewlyRefused();
  const found = { leaving, coming, changing, names, refused };
  const difference = await differenceOf(live, planned, policy, found, progress);
  const covered = live && difference && (await coveredOf(live, planned, refused, base?.patched ?? []));
  const isCatchAll = live?.policy.catchall === true;
  const lost = covered?.size ?? (isCatchAll ? 0 : refused.count);
  const hidden = isCatchAll ? refused.count - lost : 0;
  if (difference !== null) difference.lost += lost;
  if (lost > 0) names.noteGone(covered ?? refused.tails);
  const patternChanges = patternChangesOf(live, planned, policy, found);
  const changes = live === null ? [] : changesBetween(live, policy, mode);
  const isSame = live !== null && isHead(live, { key, packed, policy, mode });
  const unchanged = isSame && patched?.settles !== true;
  const refusal = isSame
    ? null
    : guardRefusal({
        lists: listsOf(live, difference),
        accepted: acceptedCount(live?.counts ?? NO_COUNTS),
        remaining: acceptedCount(packed.counts),
        uncountable: live === null ? [] : uncountableBetween(live, policy, packed),
        mayBeEmpty: policy.alias !== null || policy.catchall,
        hasPatterns: acceptsByPattern(packed.patterns),
        share: guardShare(live, policy),
        hidden: { now: hidden, today: hidden },
      });
  const { hasPostmaster, missingCanaries, unmet } = compareWithExpected(planned, policy);
  const share = guardShare(live, policy);
  return {
    ...planned,
    missingCanaries,
    unmet: [...unmet, ...(intent.sources?.counts ?? []).flatMap((count) => count.unmet)],
    shrunk: shrunkSources(intent.sources, share, isSame ? live.generation : null),
    listed: intent.packed,
    patched,
    base,
    expect: base?.generation ?? null,
    resultingPolicy: policy,
    resultingMode: mode,
    changes,
    difference,
    covered,
    hidden,
    patternChanges,
    leaving,
    coming,
    changing,
    unchanged,
    refusal,
    guardNames: live === null ? acceptedNames(packed) : names.all,
    warnings: notesOn(intent, { live, policy, mode, hasPostmaster, difference }),
  };
}

/** The share of names that the guard allows a publish to lose: the head decides. */
export const guardShare = (base: Base | null, policy: DomainPolicy): number =>
  (base === null || base.deleted ? policy : base.policy).guard;

/** Where names that differ are kept. */
type Named = Pick<DomainPlan, "leaving" | "coming" | "changing">;

/** Compares with an empty list if there was none; returns null if names cannot be compared. */
async function differenceOf(
  live: Base | null,
  intent: Intent,
  policy: DomainPolicy,
  found: Named & { readonly names: ChangedNames; readonly refused: NewlyRefused },
  progress?: (done: number, of: number) => void,
): Promise<Difference | null> {
  const { counts } = intent.packed;
  if (live === null) return { added: sum(counts), removed: 0, changed: 0, lost: 0 };
  if (!isComparableTo(live, intent, policy)) return null;
  return compareWithRemote(
    live.list,
    intent.packed,
    (tail, was, is) => {
      found.names.note(tail, was, is);
      if (was < 0 && !isAcceptedState(is)) found.refused.add(tail);
      noteNamed(found, tail, was, is);
    },
    progress,
  );
}

const isComparableTo = ({ policy, keyId }: Base, { key }: Intent, after: DomainPolicy): boolean =>
  comparable({ policy, keyId }, { policy: after, keyId: key.id });

/** Keeps the tail of a name or a pattern that differs, so that it can be named. */
function noteNamed({ leaving, coming, changing }: Named, tail: number, was: number, is: number): void {
  if (was < 0) {
    if (coming.size < MAX_NAMED) coming.add(tail);
    return;
  }
  const refused = isLost(was, is);
  if (is >= 0 && !refused && changing.size < MAX_NAMED) {
    changing.set(tail, { from: ENTRY_STATES[was] as EntryState, to: ENTRY_STATES[is] as EntryState });
  }
  if ((is >= 0 && !refused) || leaving.size >= MAX_NAMED) return;
  leaving.set(tail, is < 0 ? "removed" : "refused");
}

/** Compares patterns with those of the head. Under another key or spelling all of them are new. */
function patternChangesOf(
  live: Base | null,
  intent: Intent,
  policy: DomainPolicy,
  named: Named,
): PatternChanges {
  const isComparable = live !== null && isComparableTo(live, intent, policy);
  const changes: PatternChanges = { added: 0, removed: 0, changed: 0 };
  comparePatterns(isComparable ? live.patterns : null, intent.packed.patterns, (tail, was, is) => {
    changes[was < 0 ? "added" : is < 0 ? "removed" : "changed"]++;
    if (isComparable) noteNamed(named, tail, was, is);
  });
  return changes;
}

/** What changes in a way that the guard cannot count. */
const uncountableBetween = (live: Base, policy: DomainPolicy, { patterns }: PackedList): string[] => [
  ...uncountableChanges(live.policy, policy),
  ...(losesByPattern(live.patterns, patterns) ? ["patterns"] : []),
];

/** The head: the only list of the last day that is known here. */
function listsOf(live: Base | null, difference: Difference | null): readonly GuardedCount[] | null {
  if (live === null) return [];
  if (difference === null) return null;
  const { generation, counts } = live;
  return [{ generation, accepted: acceptedCount(counts), lostBefore: 0, lost: difference.lost }];
}

/** Names that a plan refuses, or accepts again or for the first time. */
class ChangedNames {
  readonly #gone = new TailColumn(MAX_PLANNED_NAMES);
  readonly #back = new TailColumn(MAX_PLANNED_NAMES);
  #isTooMany = false;

  note(tail: number, was: number, is: number): void {
    const isGone = isLost(was, is);
    if (!(isGone || isLost(is, was)) || this.#isTooMany) return;
    const isKept = (isGone ? this.#gone : this.#back).push(tail);
    this.#isTooMany = !isKept || this.#gone.length + this.#back.length > MAX_PLANNED_NAMES;
  }

  /** Names that the head accepts without listing them. */
  noteGone(tails: ReadonlySet<number>): void {
    for (const tail of tails) this.note(tail, ACTIVE, DISABLED);
    if (tails.size >= MAX_COVERED) this.#isTooMany = true;
  }

  get all(): GuardNames | null {
    return this.#isTooMany ? null : { gone: atOnce(this.#gone.sorted()), back: atOnce(this.#back.sorted()) };
  }
}

function acceptedNames({ shards, counts }: PackedList): GuardNames | null {
  if (acceptedCount(counts) > MAX_PLANNED_NAMES) return null;
  const names = new TailColumn(MAX_PLANNED_NAMES);
  for (const shard of shards) {
    const { tails, states } = entriesOf(decodeShard(shard));
    for (let i = 0; i < tails.length; i++)
      if (isAcceptedState(states[i] as number)) names.push(tails[i] as number);
  }
  return { accepted: atOnce(names.sorted()) };
}

/** Whether a head already is what a plan makes of its domain. */
export const isHead = (
  base: Base,
  { key, packed, policy, mode }: Pick<Intent, "key" | "packed"> & { policy: DomainPolicy; mode: Mode },
): boolean =>
  !base.deleted &&
  base.keyId === key.id &&
  isSameTable(base.list.table, packed.table) &&
  isSamePatterns(base.patterns, packed.patterns) &&
  changesBetween(base, policy, mode).length === 0;

function changesBetween(live: Base, policy: DomainPolicy, mode: Mode): DomainPlan["changes"] {
  const changes: { setting: string; from: unknown; to: unknown }[] = POLICY_SETTINGS.filter(
    (setting) => live.policy[setting] !== policy[setting],
  ).map((setting) => ({ setting, from: live.policy[setting], to: policy[setting] }));
  if (live.mode !== mode) changes.push({ setting: "mode", from: live.mode, to: mode });
  return changes;
}

const sum = (counts: Counts): number => counts.active + counts.disabled + counts.full + counts.moved;
