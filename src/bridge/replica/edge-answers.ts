import type { Heard } from "../answers/min-generations.ts";

/** Recipients of all domains, and characters of their names, that are remembered. */
const MAX_RECIPIENTS = 10_000;
const MAX_CHARACTERS = 1_000_000;

/** What the edge said of a domain that is newer than the list here. */
interface Newer {
  /** The newest state that it named. */
  state: Heard;
  /** Whom it did not accept, though the list does; null if that is not known any more. */
  recipients: Set<string> | null;
}

/** What is stored of a domain: the newest state that the edge named, and whether it did not accept somebody (0 or 1). */
export type SeenState = readonly [domain: string, incarnation: number, generation: number, excludes: number];

/**
 * What answers of the edge said while the list here was older. It is a lower bound for every refusal, and the recipients
 * whom the edge did not accept are no longer accepted from the list. They are bounded, and not stored: past the bound, or
 * after a restart if there were any, nobody of the domain is accepted from an older list.
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
      const recipients = excludes > 0 ? null : new Set<string>();
      this.#byDomain.set(domain, { state: { incarnation, generation }, recipients });
    }
  }

  /** The newest state that the edge named of a domain; null if none was newer than the list. */
  state(domain: string): Heard | null {
    return this.#byDomain.get(domain)?.state ?? null;
  }

  /** The edge named a newer state of a domain than that of the list here. */
  noteState(domain: string, state: Heard): void {
    const known = this.#byDomain.get(domain);
    if (known === undefined) this.#byDomain.set(domain, { state, recipients: new Set() });
    else if (isBefore(known.state, state)) known.state = state;
    else return;
    this.#isChanged = true;
  }

  /** The edge did not accept a recipient in a newer state. */
  exclude(domain: string, recipient: string): void {
    const { recipients } = this.#byDomain.get(domain) ?? {};
    if (!recipients || recipients.has(recipient)) return;
    this.#isChanged ||= recipients.size === 0;
    recipients.add(recipient);
    this.#count(recipient, 1);
    if (this.#recipients > MAX_RECIPIENTS || this.#characters > MAX_CHARACTERS) this.#forget(domain);
  }

  /** The edge accepted a recipient in a newer state, or the list never did. */
  include(domain: string, recipient: string): void {
    if (this.#byDomain.get(domain)?.recipients?.delete(recipient)) this.#count(recipient, -1);
  }

  /** Whether the edge did not accept a recipient, or it is not known any more whom it did not accept. */
  isExcluded(domain: string, recipient: string): boolean {
    const newer = this.#byDomain.get(domain);
    return newer !== undefined && (newer.recipients?.has(recipient) ?? true);
  }

  /** A list of a domain is here in this state, or the log is at a later one: what the edge said before is part of it. */
  settle(domain: string, state: Heard): void {
    const newer = this.#byDomain.get(domain);
    if (newer === undefined || isBefore(state, newer.state)) return;
    this.#forget(domain);
    this.#byDomain.delete(domain);
    this.#isChanged = true;
  }

  /** All of a domain is forgotten, since it is not held here any more. */
  remove(domain: string): void {
    this.settle(domain, { incarnation: Number.POSITIVE_INFINITY, generation: 0 });
  }

  /** What is to be stored; null if it is as it was. */
  takeChanged(): SeenState[] | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    return [...this.#byDomain].map(([domain, { state, recipients }]) => {
      const excludes = recipients?.size === 0 ? 0 : 1;
      return [domain, state.incarnation, state.generation, excludes] as const;
    });
  }

  /** What was taken to be stored was not. */
  noteUnstored(): void {
    this.#isChanged = true;
  }

  #forget(domain: string): void {
    const newer = this.#byDomain.get(domain);
    for (const recipient of newer?.recipients ?? []) this.#count(recipient, -1);
    if (newer !== undefined) newer.recipients = null;
  }

  #count(recipient: string, by: 1 | -1): void {
    this.#recipients += by;
    this.#characters += by * recipient.length;
  }
}

/** Whether a state is older than another: of a lower log, or of a lower number of the same one. */
export const isBefore = (a: Heard, b: Heard): boolean =>
  a.incarnation < b.incarnation || (a.incarnation === b.incarnation && a.generation < b.generation);
