import { areComparable, type Content, departuresAfter, type Generation, isAccepted } from "./generation.ts";

const DAY = 86_400_000;

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

  /** Generations of the present log. */
  get current(): readonly Generation[] {
    return this.#log === 0 ? this.generations : this.generations.filter(({ log }) => log === this.#log);
  }

  /** The newest generation of a number. */
  at(number: number): Generation | undefined {
    return this.#byNumber.get(number)?.at(-1);
  }

  /** All generations of a number: one in each log at most. */
  named(number: number): readonly Generation[] {
    return this.#byNumber.get(number) ?? [];
  }

  /**
   * The log in which it stood is lost: nobody serves it any more, and nobody knows that it was served. So it is with an
   * export that is taken back.
   */
  lose(now: number): void {
    const { head } = this;
    if (head !== undefined) head.until = now;
    this.#log++;
    this.acknowledged = 0;
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

  /** Takes a new head. `deletedUntil` is set for a tombstone. */
  succeed(
    number: number,
    content: Content,
    now: number,
    deletedUntil: number | null,
    isForced: boolean,
  ): Generation {
    const head = this.head;
    if (head !== undefined) head.until = now;
    const left = this.current.findLast(
      // Of a list that was pruned long after its end, no departed name is left.
      (it) => it.deletedUntil === null && it.until > now - this.#kept,
    );
    const generation: Generation = {
      domain: this.domain,
      log: this.#log,
      number,
      since: now,
      until: Number.POSITIVE_INFINITY,
      deletedUntil,
      departures: deletedUntil === null ? departuresAfter(left, content, now) : new Map(),
      overridden: new Set(
        // A deletion removes no names from the lists before it: the next list is compared with them.
        isForced && deletedUntil === null && left !== undefined ? namesLost(left, content) : [],
      ),
      ...content,
    };
    this.generations.push(generation);
    this.#byNumber.set(number, [...this.named(number), generation]);
    const { alias } = content.policy;
    if (alias !== null && deletedUntil === null) this.targets.add(alias);
    return generation;
  }

  /** Takes a new head with the same list and other departures: names are held, or released. */
  keep(number: number, now: number, departures: ReadonlyMap<string, number>): void {
    const head = this.head as Generation;
    const next = { ...head, number, since: now, departures, overridden: new Set<string>() };
    head.until = now;
    this.generations.push(next);
    this.#byNumber.set(number, [...this.named(number), next]);
  }

  /**
   * Law 4: of each list of the last day that can be compared with `content`, how many names are refused now and how many
   * would be then, without those that an override refused since.
   */
  losses(content: Content, now: number): { accepted: number; before: number; after: number }[] {
    const lists = this.current.filter((it) => it.deletedUntil === null);
    // Another key or spelling starts the day again.
    const start = lists.findLastIndex((it) => !areComparable(it, content)) + 1;
    const newest = lists.at(-1);
    const isOverridden = (name: string, since: Generation): boolean =>
      lists.some((it) => it.number > since.number && it.overridden.has(name));
    return lists.slice(start).flatMap((it) => {
      if (it.until <= now - DAY) return [];
      const count = (then: Content): number =>
        namesLost(it, then).filter((name) => !isOverridden(name, it)).length;
      const accepted = [...it.list.values()].filter(isAccepted).length;
      return [{ accepted, before: count(newest as Generation), after: count(content) }];
    });
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
