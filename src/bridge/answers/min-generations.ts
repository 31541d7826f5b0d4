import { LRUCache } from "lru-cache";
import type { Answer } from "../../directory/index.ts";

/** Domains to remember. Only served domains have generations, so strangers cannot push any out. */
const MAX_DOMAINS = 100_000;

/** Longest window of law 2 that an edge can be set to, seconds. A longer max_age is cut to it. */
export const LONGEST_MAX_AGE = 3600;

/** The newest state seen of a domain. Cached answers refer to it. */
export interface MinGeneration {
  /** Incarnation of the Registry's log, 0 until the edge names one. */
  incarnation: number;
  /** Only grows (law 3). 0: no generation of this log was seen yet. */
  generation: number;
  /** When that generation was first seen. */
  at: number;
  /** The domain was seen to be served no more, without a generation that says so. */
  isGone?: boolean;
}

/** The newest state seen, by domain. No older answer may refuse a recipient. */
export class MinGenerations {
  readonly #byDomain: LRUCache<string, MinGeneration>;

  constructor(maxDomains = MAX_DOMAINS) {
    this.#byDomain = new LRUCache({ max: maxDomains });
  }

  get(domain: string): MinGeneration | undefined {
    return this.#byDomain.get(domain);
  }

  /**
   * Records a generation of the known log, or of the first one.
   * @param incarnation 0 if the answer names none
   * @returns the domain's minimum, which may be higher
   */
  raise(domain: string, incarnation: number, generation: number, now: number): MinGeneration {
    const known = this.#byDomain.get(domain);
    if (known === undefined) {
      const first = { incarnation, generation, at: now };
      this.#byDomain.set(domain, first);
      return first;
    }
    if (generation > known.generation) {
      known.generation = generation;
      known.at = now;
      delete known.isGone;
    }
    if (generation === known.generation && known.incarnation === 0) known.incarnation = incarnation;
    return known;
  }

  /**
   * Forgets what was seen of a domain in an older log: the numbers of the new log are unrelated. Cached answers of the
   * older log refer to the forgotten state, so they are not the newest any more.
   */
  startOver(domain: string, incarnation: number): void {
    this.#byDomain.set(domain, { incarnation, generation: 0, at: Number.NEGATIVE_INFINITY });
  }

  /** The domain is not served any more. Cached answers refer to its state before, so they are not the newest any more. */
  noteGone(domain: string): void {
    const known = this.#byDomain.get(domain);
    if (known === undefined || known.generation === 0 || known.isGone) return;
    this.#byDomain.set(domain, { ...known, isGone: true });
  }
}

/** What this host has heard of a domain's log by itself, also in an earlier run. */
export interface Heard {
  readonly incarnation: number;
  /** The domain's head, 0 if the log lists none. */
  readonly generation: number;
}

/**
 * Whether an answer is older than what the host has heard by itself. As long as the log lists a head of the domain, only the
 * log can say that it is gone.
 */
export function isOlderThanHeard(answer: Answer, heard: Heard | null): boolean {
  if (heard === null) return false;
  const { incarnation, generation } = answer;
  if (incarnation !== null && incarnation !== heard.incarnation) return incarnation < heard.incarnation;
  return heard.generation > 0 && (generation ?? 0) < heard.generation;
}

/** Whether an answer names a newer log than the one seen: the Registry was lost and created again. */
export const isNewLog = (incarnation: number | null, min: MinGeneration | undefined): boolean =>
  incarnation !== null && min !== undefined && min.incarnation > 0 && incarnation > min.incarnation;

/**
 * Whether an answer is older than a generation, or a log, that was seen before. An answer without a generation says that
 * the domain does not exist: it is as new as the contact with the Registry that it rests on.
 */
export function isOlder(answer: Answer, min: MinGeneration | undefined, askedAt: number): boolean {
  if (min === undefined) return false;
  // Another part of the edge does not know the newer log yet.
  if (answer.incarnation !== null && answer.incarnation < min.incarnation) return true;
  if (answer.generation !== null) return answer.generation < min.generation;
  if (min.generation === 0) return false;
  return answer.confirmed_age === null || askedAt - 1000 * answer.confirmed_age < min.at;
}
