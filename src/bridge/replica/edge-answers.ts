import type { Heard } from "../answers/min-generations.ts";

/** Recipients of all domains, and characters of their names, that are remembered. */
const MAX_RECIPIENTS = 10_000;
const MAX_CHARACTERS = 1_000_000;

/** Recipients whom the edge did not accept, each with the state in which it said so. */
type Refused = Map<string, Heard>;

/** What the edge said of a domain that is newer than the list here. */
interface Newer {
  /** The newest state that it named. */
  state: Heard;
  /** Whom it did not accept, though the list may; null if that is not known any more. */
  listed: Refused | null;
  /** Whom the list does not accept either. Another one that comes may; null if some of them are forgotten. */
  unlisted: Refused | null;
}

/** What is stored of a domain: the newest state that the edge named, and whether it did not accept somebody (0 or 1). */
export type SeenState = readonly [domain: string, incarnation: number, generation: number, excludes: number];

/**
 * What answers of the edge said while the list here was older. It is a lower bound for every refusal, and the recipients
 * whom the edge did not accept are no longer accepted from the list, nor from another one that comes and is older as well.
 * They are bounded, and not stored: past the bound, or after a restart if there were any, nobody of the domain is accepted
 * from an older list. Those whom the list does not accept either go first: then nobody is from the next one that is older.
 */
export class EdgeAnswers {
  readonly #byDomain = new Map<string, Newer>();
  #recipients = 0;
  #characters = 0;
  /** Whether the states changed since they were last taken. */
  #isChanged = false;

  /** Starts from what an earlier run stored. */
  startFrom(states: readonly SeenState[]): void {
    for (const [domain, incarnation, generation, excludes] of states) {
      const listed: Refused | null = excludes > 0 ? null : new Map();
      this.#byDomain.set(domain, { state: { incarnation, generation }, listed, unlisted: new Map() });
    }
  }

  /** The newest state that the edge named of a domain; null if none was newer than the list. */
  state(domain: string): Heard | null {
    return this.#byDomain.get(domain)?.state ?? null;
  }

  /** The edge named a newer state of a domain than that of the list here. */
  noteState(domain: string, state: Heard): void {
    const known = this.#byDomain.get(domain);
    if (known === undefined) this.#byDomain.set(domain, { state, listed: new Map(), unlisted: new Map() });
    else if (isBefore(known.state, state)) known.state = state;
    else return;
    this.#isChanged = true;
  }

  /** The edge did not accept a recipient in a newer state. */
  exclude(domain: string, recipient: string, state: Heard): void {
    const newer = this.#byDomain.get(domain);
    if (!newer?.listed || newer.listed.has(recipient)) return;
    this.include(domain, recipient);
    this.#isChanged ||= !excludesAny(newer);
    newer.listed.set(recipient, state);
    this.#count(recipient, 1);
    if (this.#recipients > MAX_RECIPIENTS || this.#characters > MAX_CHARACTERS) this.#makeRoom(newer);
  }

  /** The list here does not accept a recipient either. */
  setAside(domain: string, recipient: string): void {
    const newer = this.#byDomain.get(domain);
    const state = newer?.listed?.get(recipient);
    if (newer === undefined || state === undefined) return;
    this.include(domain, recipient);
    if (newer.unlisted === null) return;
    newer.unlisted.set(recipient, state);
    this.#count(recipient, 1);
  }

  /** The edge did not accept somebody in a newer state, and it is not known whom. */
  excludeAll(domain: string): void {
    const newer = this.#byDomain.get(domain);
    if (newer === undefined) return;
    this.#forget(newer);
    this.#isChanged = true;
  }

  /** The edge accepted a recipient in a newer state. */
  include(domain: string, recipient: string): void {
    const { listed, unlisted } = this.#byDomain.get(domain) ?? {};
    for (const recipients of [listed, unlisted])
      if (recipients?.delete(recipient)) this.#count(recipient, -1);
  }

  /** Whether the edge did not accept a recipient, or it is not known any more whom it did not accept. */
  isExcluded(domain: string, recipient: string): boolean {
    const newer = this.#byDomain.get(domain);
    return newer !== undefined && (newer.listed?.has(recipient) ?? true);
  }

  /** Another list of a domain is here, in this state: what the edge said until then is part of it. */
  settle(domain: string, state: Heard): void {
    const newer = this.#byDomain.get(domain);
    if (newer === undefined) return;
    if (isBefore(state, newer.state)) {
      this.#sortAgain(newer, state);
      return;
    }
    this.#forget(newer);
    this.#byDomain.delete(domain);
    this.#isChanged = true;
  }

  /** The list is another one, and older still: it may accept whom the one before did not. */
  #sortAgain(newer: Newer, state: Heard): void {
    const { listed, unlisted } = newer;
    if (listed === null || unlisted === null) {
      this.#forget(newer);
      return;
    }
    newer.unlisted = new Map();
    for (const [recipient, since] of unlisted) listed.set(recipient, since);
    for (const [recipient, since] of listed) {
      if (isBefore(state, since)) continue;
      listed.delete(recipient);
      this.#count(recipient, -1);
    }
  }

  /** All of a domain is forgotten, since it is not held here any more. */
  remove(domain: string): void {
    this.settle(domain, { incarnation: Number.POSITIVE_INFINITY, generation: 0 });
  }

  /** What is to be stored; null if it is as it was. */
  takeChanged(): SeenState[] | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    return [...this.#byDomain].map(([domain, newer]) => {
      const { incarnation, generation } = newer.state;
      return [domain, incarnation, generation, excludesAny(newer) ? 1 : 0] as const;
    });
  }

  /** What was taken to be stored was not. */
  noteUnstored(): void {
    this.#isChanged = true;
  }

  /** Forgets those first whom their list does not accept either, those of this domain before others. */
  #makeRoom(full: Newer): void {
    for (const newer of [full, ...this.#byDomain.values()]) {
      if (!newer.unlisted?.size) continue;
      this.#drop(newer.unlisted);
      newer.unlisted = null;
      return;
    }
    this.#forget(full);
  }

  #forget(newer: Newer): void {
    this.#drop(newer.listed);
    this.#drop(newer.unlisted);
    newer.listed = null;
    newer.unlisted = new Map();
  }

  #drop(recipients: Refused | null): void {
    for (const recipient of recipients?.keys() ?? []) this.#count(recipient, -1);
  }

  #count(recipient: string, by: 1 | -1): void {
    this.#recipients += by;
    this.#characters += by * recipient.length;
  }
}

const excludesAny = ({ listed, unlisted }: Newer): boolean => listed?.size !== 0 || unlisted?.size !== 0;

/** Whether a state is older than another: of a lower log, or of a lower number of the same one. */
export const isBefore = (a: Heard, b: Heard): boolean =>
  a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.generation < b.generation);
