import type { DomainPolicy, EntryState, Matched, Mode, Verdict } from "../../src/directory/index.ts";
import { cutAtDash, isPostmaster, isWellFormed, meets, type Name, withoutSubaddress } from "./names.ts";
import { covering, type Patterns } from "./patterns.ts";

/** What somebody meant to publish: plain sets. */
export interface Content {
  readonly list: ReadonlyMap<string, EntryState>;
  readonly patterns: Patterns;
  readonly policy: DomainPolicy;
  readonly mode: Mode;
  readonly epoch: number;
}

/** The mode of two that refuses less. */
export const milderOf = (a: Content["mode"], b: Content["mode"]): Content["mode"] =>
  (["observe", "defer"] as const).find((mode) => mode === a || mode === b) ?? "enforce";

/** One generation of a domain, as the model remembers it. */
export interface Generation extends Content {
  readonly domain: string;
  /** Which of the Registry's logs its number is of: another one begins if a Registry was lost. */
  readonly log: number;
  readonly number: number;
  /** When it became the head. */
  readonly since: number;
  /** When another one did; infinity while it is the head. */
  until: number;
  /** For a tombstone: until when the domain is deferred. */
  readonly deletedUntil: number | null;
  /** Until then it refuses nobody; and it may do so until then, for names that are in doubt (see `coverable`). */
  readonly refusesFrom: number;
  readonly mayRefuseFrom: number;
  /** Names and patterns that left or were suspended, each with the second until which it is deferred. */
  readonly departures: ReadonlyMap<string, number>;
  /**
   * Names that it may defer as well, each with the last second: it refuses them by a new entry, and nobody may have said
   * whether the list before accepted them.
   */
  readonly coverable: ReadonlyMap<string, number>;
  /** Names that it refuses by an override, and that the list before it accepted. */
  readonly overridden: ReadonlySet<string>;
  /**
   * The list as it was published last: single changes were made to it since. More than one if somebody published again, or
   * removed a name at once, and that changed nothing.
   */
  published: readonly PublishedList[];
  /** Whether single changes made it. */
  readonly isPatch: boolean;
}

/** A name that was refused with `--now`. */
export interface Removal {
  readonly name: string;
  /** Null: the name is not in the list. */
  readonly state: EntryState | null;
  readonly number: number;
  /** Whether no list has settled it. */
  readonly isOpen: boolean;
  /** What its name is spelled by. */
  readonly under: Content;
}

export type Removals = ReadonlyMap<string, Removal>;

/** A list as its publisher says it is, and who was refused with `--now` besides. */
export interface PublishedList {
  readonly list: ReadonlyMap<string, EntryState>;
  readonly removals: Removals;
}

export interface Said {
  readonly verdict: Verdict;
  readonly matched: Matched | null;
}

const VERDICT_OF: Readonly<Record<EntryState, Verdict>> = {
  active: "deliverable",
  disabled: "disabled",
  full: "full",
  moved: "moved",
};

export const REFUSALS: ReadonlySet<Verdict> = new Set([
  "unknown",
  "disabled",
  "moved",
  "malformed",
  "not-served",
]);

/**
 * What a generation says of a name at a moment.
 * @param refusesFrom of an alias, the later one of its own and its target's
 */
export function evaluate(
  generation: Generation,
  name: Name,
  now: number,
  refusesFrom = generation.refusesFrom,
): Said {
  const said = withoutGrace(generation, name, now);
  return now < refusesFrom && REFUSALS.has(said.verdict) ? { ...said, verdict: "departed" } : said;
}

function withoutGrace(generation: Generation, name: Name, now: number): Said {
  const { deletedUntil, policy, list, patterns, departures } = generation;
  if (deletedUntil !== null)
    return { verdict: now < deletedUntil ? "departed" : "not-served", matched: null };
  const asked: string[] = [];
  let listed: Said | null = null;
  for (const [entry, matched] of entriesFor(generation, name)) {
    asked.push(entry);
    const state = list.get(entry) ?? patterns.get(entry);
    if (state === undefined || listed !== null) continue;
    listed = { verdict: VERDICT_OF[state], matched };
    if (isAccepted(state)) return listed;
  }
  if (listed === null && policy.postmaster && isPostmaster(name, policy))
    return { verdict: "deliverable", matched: "postmaster" };
  if (listed === null && policy.catchall) return { verdict: "deliverable", matched: "catch-all" };
  // Who is refused, by an entry or by none, may be in the departures under all that was tried.
  if (asked.some((entry) => (departures.get(entry) ?? 0) * 1000 > now))
    return { verdict: "departed", matched: null };
  return listed ?? { verdict: isWellFormed(name) ? "unknown" : "malformed", matched: null };
}

/** Entries that may be meant by a name, those of the list and those that left, the most specific first. */
function entriesFor(
  { policy, patterns, departures }: Generation,
  name: Name,
): (readonly [entry: string, matched: Matched])[] {
  const how = meets(name, policy);
  const rest = withoutSubaddress(name, policy);
  const all = new Map([...departures.keys(), ...patterns.keys()].map((entry) => [entry, entry]));
  const exact = how === null ? [] : [[name.base, how] as const];
  const cut = cutAtDash(name, policy);
  const byPattern = (it: Name) => covering(all, it, policy).map((entry) => [entry, "pattern"] as const);
  return [
    ...(how === "mailbox" ? exact : []),
    ...byPattern(name),
    ...(how === "mailbox" ? [] : exact),
    ...(cut === null ? [] : [[cut, "subaddress"] as const]),
    ...(rest === null ? [] : byPattern(rest)),
  ];
}

/** Whether names of the two can be told from one another: law 4's grace and guard end if they cannot. */
export const areComparable = (a: Content, b: Content): boolean =>
  a.epoch === b.epoch && a.policy.case === b.policy.case && a.policy.dots === b.policy.dots;

export const isAccepted = (state: EntryState | undefined): boolean => state === "active" || state === "full";

/** How long a name that left stays marked after its grace, so that the brake may hold it. Milliseconds. */
const MARKED = 86_400_000;

/** Names that left recently, each with the second until which it is deferred, or was. Held ones are so without end. */
export const marked = (
  departures: ReadonlyMap<string, number>,
  now: number,
): [name: string, until: number][] => [...departures].filter(([, until]) => until * 1000 + MARKED > now);

/** Whether the brake holds names of a generation. */
export const isHeld = ({ departures }: Generation): boolean =>
  [...departures.values()].includes(Number.POSITIVE_INFINITY);

/** So many that leave at once are a group by themselves: ten, or a thousandth of the list. */
const isLarge = (left: number, { list }: Content): boolean =>
  left >= Math.max(10, [...list.values()].filter(isAccepted).length / 1_000);

/**
 * The second until which names are deferred that leave now. Its lowest bits say whether they are listed and refused from now on,
 * and whether they are a group by themselves.
 */
function graceEnds(
  now: number,
  grace: number,
  isListed: boolean,
  large: boolean,
  taken: ReadonlyMap<string, number>,
): number {
  const others = new Set(large ? taken.values() : []);
  let second = Math.ceil(now / 1000) + grace;
  while (second % 4 !== (large ? 2 : 0) + (isListed ? 1 : 0) || others.has(second)) second++;
  return second;
}

/**
 * Law 4: a name that is no longer accepted is deferred for the grace, until its time, or until it is accepted again.
 * @param ended names that get no grace, or no more of it
 * @param isDeleted whether a deletion is between the two: then everybody else has a grace anyway
 */
export function departuresAfter(
  before: Generation | undefined,
  after: Content,
  now: number,
  ended: ReadonlySet<string>,
  isDeleted: boolean,
): Map<string, number> {
  const departures = new Map<string, number>();
  if (before === undefined || !areComparable(before, after)) return departures;
  const stateIn = ({ list, patterns }: Content, entry: string): EntryState | undefined =>
    list.get(entry) ?? patterns.get(entry);
  const grace = Math.max(before.policy.grace, after.policy.grace);
  const leaving = new Set<string>();
  for (const [entry, until] of marked(before.departures, now)) {
    const state = stateIn(after, entry);
    if (isAccepted(state) || ended.has(entry)) continue;
    // A list that names it as disabled or moved has decided about a name that is held.
    const isDecided =
      until === Number.POSITIVE_INFINITY && state !== undefined && stateIn(before, entry) === undefined;
    if (isDecided) leaving.add(entry);
    else departures.set(entry, until);
  }
  for (const [entry, state] of [...before.list, ...before.patterns])
    if (isAccepted(state) && !isAccepted(stateIn(after, entry))) leaving.add(entry);
  // So is somebody whom the list before accepted without listing him.
  if (!isDeleted) for (const entry of coveredAndLost(before, after, now)) leaving.add(entry);
  // Whom a new pattern refuses nobody can name.
  for (const [entry, state] of after.patterns)
    if (!isAccepted(state) && stateIn(before, entry) === undefined) leaving.add(entry);
  for (const isListed of [false, true]) {
    const ownGrace = isListed ? graceOfSuspended(before, after, now) : grace;
    if (ownGrace === 0) continue;
    const names = [...leaving].filter(
      (entry) => !ended.has(entry) && (stateIn(after, entry) !== undefined) === isListed,
    );
    const until = graceEnds(now, ownGrace, isListed, isLarge(names.length, after), before.departures);
    for (const entry of names) departures.set(entry, Math.max(until, departures.get(entry) ?? 0));
  }
  return departures;
}

/** Seconds. A name that left before, and may return, may be how the list accepted who is suspended now. */
export function graceOfSuspended(before: Generation, after: Content, now: number): number {
  const earlier = [...before.departures.values()].filter(Number.isFinite);
  const rest = Math.max(0, ...earlier) - Math.ceil(now / 1000);
  return Math.max(before.policy.grace, after.policy.grace, rest);
}

/** Names that a list has as disabled or moved, and the one before it did not list. */
export const newlyRefused = (before: Content, { list }: Content): string[] =>
  [...list].flatMap(([entry, state]) => (isAccepted(state) || before.list.has(entry) ? [] : [entry]));

/** Those of them whom the list before accepted without listing them. */
export const coveredAndLost = (before: Generation, after: Content, now: number): string[] =>
  newlyRefused(before, after).filter((entry) => isAcceptedUnlisted(before, entry, now));

/** By another entry than its own, or deferred since that one left. If it left itself, that ends by itself. */
function isAcceptedUnlisted(before: Generation, base: string, now: number): boolean {
  const departures = new Map([...before.departures].filter(([entry]) => entry !== base));
  const { verdict } = withoutGrace({ ...before, departures }, { base, form: "plain" }, now);
  return ["deliverable", "full", "departed"].includes(verdict);
}

/** The longest time for which a domain refuses nobody after a change, milliseconds. */
const MOST_GRACE = 86_400_000;

export type RefusesFrom = "refusesFrom" | "mayRefuseFrom";

/**
 * Law 4: who may be refused by a change, and cannot be named, is deferred for the grace with everybody else.
 * @param left the domain's last list, which a deletion may have followed
 * @param isUnknown whether it is not known whom the domain accepted until now: it was deleted, or its list is damaged
 * @param targets lists of the domains that it was and becomes an alias of
 */
export function refusesFromAfter(
  left: Generation | undefined,
  isUnknown: boolean,
  after: Content,
  targets: readonly Generation[],
  now: number,
  from: RefusesFrom,
): number {
  if (left === undefined) return 0;
  const [was, is] = [left.policy, after.policy];
  const namesAll =
    areComparable(left, after) &&
    was.alias === is.alias &&
    was.delimiters === is.delimiters &&
    (is.catchall || !was.catchall) &&
    (is.postmaster || !was.postmaster);
  if (namesAll && !isUnknown) return left[from];
  const lists = [left, ...targets];
  const grace = 1000 * Math.max(is.grace, ...lists.map(({ policy }) => policy.grace));
  const departed = lists
    .flatMap((list) => [list.departures, ...(from === "refusesFrom" ? [] : [list.coverable])])
    .flatMap((names) => [...names.values()])
    .filter(Number.isFinite);
  return Math.max(
    now + Math.min(grace, MOST_GRACE),
    Math.min(Math.max(0, ...departed) * 1000, now + MOST_GRACE),
    ...lists.map((list) => list[from]),
  );
}
