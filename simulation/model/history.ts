import { LINGERING } from "../../testing/limits.ts";
import { coverableAfter } from "./coverable.ts";
import {
  areComparable,
  type Content,
  coveredAndLost,
  departuresAfter,
  type Generation,
  isAccepted,
  type PublishedList,
  type RefusesFrom,
  refusesFromAfter,
} from "./generation.ts";

const DAY = 86_400_000;

/** How a generation was made. */
interface Made {
  /** Of a tombstone. */
  readonly deletedUntil?: number | null;
  readonly isForced?: boolean;
  /** Names that get no grace, and whose grace ends if they have left before. */
  readonly ended?: ReadonlySet<string>;
  /** The list that was published, and who was refused with `--now`. */
  readonly published?: PublishedList;
  readonly isPatch?: boolean;
  /** The last lists of the domains that it was and becomes an alias of. */
  readonly targets?: readonly Generation[];
}

/** Every generation of one domain that ever was, in the order of their numbers. */
export class History {
  readonly domain: string;
  readonly generations: Generation[] = [];
  readonly #byNumber = new Map<number, Generation[]>();
  #log = 0;
  /** Domains that it was ever an alias of. */
  readonly targets = new Set<string>();
  /** Highest number that was acknowledged. */
  acknowledged = 0;
  /** Until when what its Registry has stored of its head was damaged; infinity while it is. */
  damagedUntil = Number.NEGATIVE_INFINITY;

  readonly #kept: number;

  /** @param kept milliseconds for which superseded generations are kept */
  constructor(domain: string, kept = Number.POSITIVE_INFINITY) {
    this.domain = domain;
    this.#kept = kept;
  }

  get head(): Generation | undefined {
    const last = this.generations.at(-1);
    return last?.log === this.#log ? last : undefined;
  }

  /** The head, unless it is a tombstone that was pruned. */
  standing(now: number): Generation | undefined {
    const { head } = this;
    return (head?.deletedUntil ?? now) + this.#kept < now ? undefined : head;
  }

  /** The present log. */
  get log(): number {
    return this.#log;
  }

  /** Generations of the present log. */
  get current(): readonly Generation[] {
    return this.#log === 0 ? this.generations : this.generations.filter(({ log }) => log === this.#log);
  }

  /** The newest generation of a number. */
  at(number: number): Generation | undefined {
    return this.#byNumber.get(number)?.at(-1);
  }

  /** Names and patterns that were ever deferred until a second that is meant. */
  leftUntil(isMeant: (second: number) => boolean): string[] {
    const all = this.generations.flatMap(({ departures }) => [...departures]);
    return [...new Set(all.filter(([, until]) => isMeant(until)).map(([entry]) => entry))];
  }

  /** All generations of a number: one in each log at most. */
  named(number: number): readonly Generation[] {
    return this.#byNumber.get(number) ?? [];
  }

  /** The log in which it stood is lost: nobody serves it any more, and nobody knows that it was served. */
  lose(now: number): void {
    const { head } = this;
    if (head !== undefined) head.until = now;
    this.#log++;
    this.acknowledged = 0;
    this.repaired(now);
  }

  /** Whether the damage of its head is felt, or has been until lately. */
  isDamageFelt(now: number): boolean {
    return now - this.damagedUntil <= LINGERING;
  }

  repaired(now: number): void {
    this.damagedUntil = Math.min(this.damagedUntil, now);
  }

  /** How long it has had a head without a break, milliseconds; 0 if it has none. */
  servedFor(time: number): number {
    const last = this.headAt(time);
    if (last === undefined) return 0;
    const next = this.generations[this.generations.indexOf(last) + 1];
    if (last.until <= time && next?.log !== last.log) return 0;
    const first = this.generations.find(({ log }) => log === last.log) as Generation;
    return time - first.since;
  }

  /** How long the log in which it stood has been lost, milliseconds; 0 if it has a head, or never had one. */
  lostFor(time: number): number {
    return Math.max(0, time - (this.headAt(time)?.until ?? time));
  }

  /** How long a generation has had another one after it, of whichever log. */
  succeededFor(generation: Generation, time: number): number {
    const next = this.generations[this.generations.indexOf(generation) + 1];
    return Math.max(0, time - (next?.since ?? time));
  }

  /** Whether a tombstone may have been pruned, and no list has had its place for longer than `bound`. */
  mayBeForgotten(time: number, history: number, bound: number): boolean {
    return this.generations.some(
      (it) =>
        it.deletedUntil !== null &&
        it.deletedUntil + history <= Math.min(time, it.until) &&
        time - it.until <= bound,
    );
  }

  /** The generation that was the head at a moment. */
  headAt(time: number): Generation | undefined {
    return this.generations.findLast((it) => it.since <= time);
  }

  /** Takes its head back, for a larger one that was made at the same moment under the same number. */
  withdraw(): void {
    const { number } = this.generations.pop() as Generation;
    this.#byNumber.set(number, this.named(number).slice(0, -1));
    const { head } = this;
    if (head !== undefined) head.until = Number.POSITIVE_INFINITY;
  }

  /** The last list of the present log. Of one that was pruned long after its end, no departed name is left. */
  lastList(now: number): Generation | undefined {
    return this.current.findLast((it) => it.deletedUntil === null && it.until > now - this.#kept);
  }

  /** Takes a new head. */
  succeed(
    number: number,
    content: Content,
    now: number,
    {
      deletedUntil = null,
      isForced = false,
      ended = new Set(),
      published = { list: content.list, removals: new Map() },
      isPatch = false,
      targets = [],
    }: Made = {},
  ): Generation {
    const head = this.head;
    if (head !== undefined) head.until = now;
    const left = this.lastList(now);
    const isDeleted = head !== undefined && head.deletedUntil !== null;
    // Everybody has been refused since a deletion that is over.
    const isOver = isDeleted && (head.deletedUntil as number) <= now;
    // Whom a damaged list accepts can no more be named than after a deletion.
    const isUnknown = isDeleted || this.damagedUntil > now;
    this.repaired(now);
    const refusesFrom = (from: RefusesFrom): number =>
      deletedUntil !== null || isOver ? 0 : refusesFromAfter(left, isUnknown, content, targets, now, from);
    const generation: Generation = {
      domain: this.domain,
      log: this.#log,
      number,
      since: now,
      until: Number.POSITIVE_INFINITY,
      deletedUntil,
      refusesFrom: refusesFrom("refusesFrom"),
      mayRefuseFrom: refusesFrom("mayRefuseFrom"),
      departures: deletedUntil === null ? departuresAfter(left, content, now, ended, isDeleted) : new Map(),
      coverable: deletedUntil === null ? coverableAfter(left, content, now, ended) : new Map(),
      overridden: new Set(
        // A deletion removes no names from the lists before it: the next list is compared with them.
        isForced && deletedUntil === null && left !== undefined ? namesLost(left, content) : [],
      ),
      published: [published],
      isPatch,
      ...content,
    };
    this.generations.push(generation);
    this.#byNumber.set(number, [...this.named(number), generation]);
    const { alias } = content.policy;
    if (alias !== null && deletedUntil === null) this.targets.add(alias);
    return generation;
  }

  /** Takes a new head with the same list: names are held or released, or the mode is another one. */
  keep(
    number: number,
    now: number,
    change: Partial<Pick<Generation, "departures" | "coverable" | "mode">>,
  ): void {
    const head = this.head as Generation;
    const overridden = new Set<string>();
    const next = { ...head, ...change, number, since: now, overridden, isPatch: false };
    head.until = now;
    this.generations.push(next);
    this.#byNumber.set(number, [...this.named(number), next]);
  }

  /**
   * Law 4: of each list of the last day that can be compared with `content`, how many names are refused now and how many
   * would be then, without those that an override refused since.
   * @param before what it follows
   * @param part number of a generation that it will be a part of, which is no list of its own
   */
  losses(
    content: Content,
    now: number,
    before: Content | undefined = this.current.findLast((it) => it.deletedUntil === null),
    part: number | null = null,
  ): { accepted: number; after: number; isWorse: boolean }[] {
    const lists = this.current.filter((it) => it.deletedUntil === null && it.number !== part);
    // Another key or spelling starts the day again.
    const start = lists.findLastIndex((it) => !areComparable(it, content)) + 1;
    const isOverridden = (name: string, since: Generation): boolean =>
      lists.some((it) => it.number > since.number && it.overridden.has(name));
    return lists.slice(start).flatMap((it) => {
      if (it.until <= now - DAY) return [];
      const count = (then: Content): number =>
        namesLost(it, then).filter((name) => !isOverridden(name, it)).length;
      const accepted = [...it.list.values()].filter(isAccepted).length;
      const [was, after] = [count(before as Content), count(content)];
      // For one whom it accepted without listing him, and who is accepted again, another one may go.
      const all = (then: Content): number => count(then) + coveredAndLost(it, then, now).length;
      return [{ accepted, after, isWorse: after > was && all(content) > all(before as Content) }];
    });
  }

  /**
   * Law 4: whether names are lost that nobody can count. A pattern that accepted goes, or one refuses that was not there or
   * accepted, against the newest list of the last day.
   */
  losesPatterns(content: Content, now: number): boolean {
    const newest = this.current.findLast((it) => it.deletedUntil === null);
    if (newest === undefined || newest.until <= now - DAY || !areComparable(newest, content)) return false;
    const goes = [...newest.patterns].some(
      ([pattern, state]) => isAccepted(state) && !content.patterns.has(pattern),
    );
    const refuses = [...content.patterns].some(([pattern, state]) => {
      const was = newest.patterns.get(pattern);
      return !isAccepted(state) && (was === undefined || isAccepted(was));
    });
    return goes || refuses;
  }

  /** The share of law 4 as it stands; after a deletion that of the list before it. */
  guardFor(content: Content, now: number): number {
    const { head } = this;
    if (head !== undefined && head.deletedUntil === null) return head.policy.guard;
    const last = this.current.findLast((it) => it.deletedUntil === null && it.until > now - DAY);
    return (last ?? content).policy.guard;
  }
}

/** Names that one list accepts or defers and another refuses. */
const namesLost = (before: Content, after: Content): string[] =>
  [...before.list]
    .filter(([name, state]) => isAccepted(state) && !isAccepted(after.list.get(name)))
    .map(([name]) => name);
