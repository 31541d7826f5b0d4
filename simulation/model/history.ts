import { areComparable, type Content, departuresAfter, type Generation, isAccepted } from "./generation.ts";

const DAY = 86_400_000;

/** Every generation of one domain that ever was, in the order of their numbers. */
export class History {
  readonly domain: string;
  readonly generations: Generation[] = [];
  readonly #byNumber = new Map<number, Generation>();
  /** Domains that it was ever an alias of. */
  readonly targets = new Set<string>();
  /** Highest number whose publisher was told of it. */
  acknowledged = 0;

  readonly #kept: number;

  /** @param kept milliseconds for which superseded generations are kept */
  constructor(domain: string, kept = Number.POSITIVE_INFINITY) {
    this.domain = domain;
    this.#kept = kept;
  }

  get head(): Generation | undefined {
    return this.generations.at(-1);
  }

  at(number: number): Generation | undefined {
    return this.#byNumber.get(number);
  }

  /** The generation that was the head at a moment. */
  headAt(time: number): Generation | undefined {
    return this.generations.findLast((it) => it.since <= time);
  }

  /** Takes a new head. `deletedUntil` is set for a tombstone. */
  succeed(number: number, content: Content, now: number, deletedUntil: number | null): Generation {
    const head = this.head;
    if (head !== undefined) head.until = now;
    const left = this.generations.findLast(
      // Of a list that was let go of long after its end nobody is left to be deferred.
      (it) => it.deletedUntil === null && it.until > now - this.#kept,
    );
    const generation: Generation = {
      domain: this.domain,
      number,
      since: now,
      until: Number.POSITIVE_INFINITY,
      deletedUntil,
      departures: deletedUntil === null ? departuresAfter(left, content, now) : new Map(),
      ...content,
    };
    this.generations.push(generation);
    this.#byNumber.set(number, generation);
    const { alias } = content.policy;
    if (alias !== null && deletedUntil === null) this.targets.add(alias);
    return generation;
  }

  /** Law 4: names of the largest generation of the last day that `content` would refuse. */
  lostBy(content: Content, now: number): { accepted: number; lost: number; share: number } {
    let { guard: share } = content.policy;
    let accepted = 0;
    let lost = 0;
    for (const it of this.generations) {
      if (it.deletedUntil !== null || it.until <= now - DAY || !areComparable(it, content)) continue;
      const names = [...it.list].filter(([, state]) => isAccepted(state)).map(([name]) => name);
      // Among equally large ones the newest counts.
      if (names.length < accepted) continue;
      accepted = names.length;
      share = it.policy.guard;
      lost = names.filter((name) => !isAccepted(content.list.get(name))).length;
    }
    // The share as it stands; after a deletion that of the names themselves.
    const head = this.generations.at(-1);
    if (head !== undefined && head.deletedUntil === null) share = head.policy.guard;
    return { accepted, lost, share };
  }
}
