import type { Position } from "../../api/index.ts";
import { SUPERSEDED_GRACE } from "../answers/cache.ts";

/** When a list was last known to be the newest. */
interface Confirmed {
  readonly head: Position;
  /** On the replica's clock. */
  readonly at: number;
  /** Whether it came, or was found whole, in this run: an earlier one may have had it in memory alone. */
  readonly isHere: boolean;
}

/** A list that is behind its log: what is stored of it. `time`: the Registry's when it was last known to be the newest. */
export type BehindList = readonly [domain: string, incarnation: number, number: number, time: number];
/** A domain that an earlier log listed, with the Registry's time at the last contact with that log. */
export type EarlierDomain = readonly [domain: string, time: number];

/**
 * For how long accepts go on from lists that are not the newest any more, in an outage: a day from their own last
 * confirmation. If a new log has no head of the domain at all, that says little of it: then accept-grace counts, from the
 * last contact with a log that listed it.
 */
export class KeptLists {
  readonly #acceptGrace: number;
  readonly #silence: (since: number) => number;
  readonly #confirmed = new Map<string, Confirmed>();
  /** Domains that an earlier log listed, and whose list is not here in the present one; with the last contact then. */
  readonly #earlier = new Map<string, number>();

  /** @param silence milliseconds that are certain to have passed since a moment on the replica's clock */
  constructor(acceptGrace: number, silence: (since: number) => number) {
    this.#acceptGrace = acceptGrace;
    this.#silence = silence;
  }

  /** A list was the newest at a moment, as an earlier run stored it. */
  startFrom(domain: string, head: Position, at: number): void {
    this.#confirmed.set(domain, { head, at, isHere: false });
  }

  /**
   * A list came, or was found whole. @param at when it was last known to be the newest
   * @returns whether it is another one than before
   */
  synced(domain: string, head: Position, at: number): boolean {
    const before = this.#confirmed.get(domain);
    this.#confirmed.set(domain, { head, at, isHere: true });
    return before === undefined || !before.isHere || !isSame(before.head, head);
  }

  /** Whether one that came in this run has replaced a list. */
  isReplaced(domain: string, list: Position): boolean {
    const newest = this.#confirmed.get(domain);
    return newest?.isHere === true && isEarlier(list, newest.head);
  }

  /** The log was confirmed: lists that are at their heads are the newest. */
  noteNewest(domain: string, head: Position, askedAt: number): void {
    const list = this.#confirmed.get(domain);
    if (list !== undefined && isSame(list.head, head)) this.#confirmed.set(domain, { ...list, at: askedAt });
  }

  /** The state of the list here, as far as it is known; null if it is not. */
  head(domain: string): Position | null {
    return this.#confirmed.get(domain)?.head ?? null;
  }

  /** A log began that replaces the one that listed a domain. @param contact last contact with that one */
  noteEarlier(domain: string, contact: number): void {
    this.#earlier.set(domain, contact);
  }

  isEarlier(domain: string): boolean {
    return this.#earlier.has(domain);
  }

  /** Whether a domain that no log lists now is still accepted, since the log that listed it was replaced. */
  isHeld(domain: string): boolean {
    const contact = this.#earlier.get(domain);
    return contact !== undefined && this.#silence(contact) < this.#acceptGrace;
  }

  /** Whether a list that is not the newest may still accept. @param lists the domain's, and that which it is an alias of */
  goesOn(lists: readonly string[]): boolean {
    const at = Math.min(...lists.map((each) => this.#confirmed.get(each)?.at ?? Number.NEGATIVE_INFINITY));
    return this.#silence(at) < Math.min(this.#acceptGrace, SUPERSEDED_GRACE);
  }

  /** The list of the present log is here. */
  settle(domain: string): void {
    this.#earlier.delete(domain);
  }

  remove(domain: string): void {
    this.#earlier.delete(domain);
    this.#confirmed.delete(domain);
  }

  /** Forgets domains whose accepts have ended, since no log has listed them for accept-grace. @returns whether there were any */
  prune(): boolean {
    const ended = [...this.#earlier.keys()].filter((domain) => !this.isHeld(domain));
    for (const domain of ended) this.#earlier.delete(domain);
    return ended.length > 0;
  }

  /** Of some domains, the lists that are behind their heads. @param toRegistry the Registry's time at a moment */
  behind(
    headOf: (domain: string) => Position | null,
    isOf: (domain: string) => boolean,
    toRegistry: (at: number) => number,
  ): BehindList[] {
    return [...this.#confirmed].flatMap(([domain, { head, at }]) => {
      const newest = headOf(domain);
      if (!isOf(domain) || at === Number.NEGATIVE_INFINITY || (newest !== null && isSame(head, newest)))
        return [];
      return [[domain, head.incarnation, head.number, toRegistry(at)] as const];
    });
  }

  /** Of some domains, those that an earlier log listed. */
  earlier(isOf: (domain: string) => boolean, toRegistry: (at: number) => number): EarlierDomain[] {
    return [...this.#earlier].flatMap(([domain, contact]) =>
      isOf(domain) && contact !== Number.NEGATIVE_INFINITY ? [[domain, toRegistry(contact)] as const] : [],
    );
  }
}

const isSame = (a: Position, b: Position): boolean =>
  a.incarnation === b.incarnation && a.number === b.number;

const isEarlier = (a: Position, b: Position): boolean =>
  a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.number < b.number);
