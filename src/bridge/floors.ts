import { LRUCache } from "lru-cache";

/** Domains that are remembered. Only served ones have generations, so strangers cannot push any out. */
const MAX_DOMAINS = 100_000;

/** The highest generation that was seen of a domain. Cached answers hold on to it, and die with it. */
export interface Floor {
  /** Only grows (law 3). */
  generation: number;
  /** When that generation was first seen. */
  at: number;
}

/** Highest generation seen, by domain: what the edge is asked to be at least as new as. */
export class Floors {
  readonly #floors: LRUCache<string, Floor>;

  constructor(maxDomains = MAX_DOMAINS) {
    this.#floors = new LRUCache({ max: maxDomains });
  }

  get(domain: string): Floor | undefined {
    return this.#floors.get(domain);
  }

  /** Takes note of a generation. @returns the domain's floor, which may be higher */
  raise(domain: string, generation: number, now: number): Floor {
    const floor = this.#floors.get(domain);
    if (floor === undefined) {
      const first = { generation, at: now };
      this.#floors.set(domain, first);
      return first;
    }
    if (generation > floor.generation) {
      floor.generation = generation;
      floor.at = now;
    }
    return floor;
  }
}
