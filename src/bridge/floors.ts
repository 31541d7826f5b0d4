import { LRUCache } from "lru-cache";
import type { Answer } from "../directory/index.ts";

/** Domains that are remembered. Only served ones have generations, so strangers cannot push any out. */
const MAX_DOMAINS = 100_000;

/** Longest window of law 2 that an edge can be set to, seconds. A longer max_age is not believed. */
export const LONGEST_MAX_AGE = 3600;

/** The newest state that was seen of a domain. Cached answers hold on to it, and die with it. */
export interface Floor {
  /** Incarnation of the Registry's log, 0 while the edge has named none. */
  incarnation: number;
  /** Only grows (law 3). 0: nothing was seen of this log's generations yet. */
  generation: number;
  /** When that generation was first seen. */
  at: number;
}

/** Newest state seen, by domain: what the edge is asked to be at least as new as. */
export class Floors {
  readonly #floors: LRUCache<string, Floor>;

  constructor(maxDomains = MAX_DOMAINS) {
    this.#floors = new LRUCache({ max: maxDomains });
  }

  get(domain: string): Floor | undefined {
    return this.#floors.get(domain);
  }

  /**
   * Takes note of a generation of the log that is known, or of the first one.
   * @param incarnation 0 where the answer names none
   * @returns the domain's floor, which may be higher
   */
  raise(domain: string, incarnation: number, generation: number, now: number): Floor {
    const floor = this.#floors.get(domain);
    if (floor === undefined) {
      const first = { incarnation, generation, at: now };
      this.#floors.set(domain, first);
      return first;
    }
    if (generation > floor.generation) {
      floor.generation = generation;
      floor.at = now;
    }
    if (generation === floor.generation && floor.incarnation === 0) floor.incarnation = incarnation;
    return floor;
  }

  /**
   * Forgets what was seen of a domain in an older log: its numbers have nothing to do with the new one's. Answers from
   * before die with the floor that they hold on to.
   */
  startOver(domain: string, incarnation: number): void {
    this.#floors.set(domain, { incarnation, generation: 0, at: Number.NEGATIVE_INFINITY });
  }
}

/** Whether an answer names a newer log than the one that was seen: the Registry was lost and made again. */
export const isNewLog = (incarnation: number | null, floor: Floor | undefined): boolean =>
  incarnation !== null && floor !== undefined && floor.incarnation > 0 && incarnation > floor.incarnation;

/**
 * Whether an answer is older than a generation, or a log, that was seen before. One without a generation says that there is
 * no such domain: it is as new as the Registry's word that it rests on. An export gives way to the Registry: only an
 * isolate that asked before may not know that yet.
 */
export function isBelow(answer: Answer, floor: Floor | undefined, askedAt: number): boolean {
  if (floor === undefined) return false;
  // Another part of the edge has not heard of the newer log.
  if (answer.incarnation !== null && answer.incarnation < floor.incarnation) return true;
  if (answer.origin === "kv") return askedAt < floor.at + 1000 * LONGEST_MAX_AGE;
  if (answer.generation !== null) return answer.generation < floor.generation;
  if (floor.generation === 0) return false;
  return answer.confirmed_age === null || askedAt - 1000 * answer.confirmed_age < floor.at;
}
