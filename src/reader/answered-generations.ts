import type { Manifest } from "../directory/index.ts";

/**
 * The generation that each domain was last answered from. It is kept apart from the cache, so that an eviction cannot
 * make the reader go back (law 3).
 */
export class AnsweredGenerations {
  readonly #last = new Map<string, { readonly incarnation: number; readonly generation: number }>();

  /** The lowest generation of one log from which a domain may still be answered. */
  lowest(domain: string, incarnation: number): number {
    const last = this.#last.get(domain);
    // An earlier log is out of date as a whole.
    if (last !== undefined && last.incarnation > incarnation && incarnation > 0)
      return Number.POSITIVE_INFINITY;
    return last?.incarnation === incarnation ? last.generation : 0;
  }

  note({ domain, incarnation, generation }: Manifest): void {
    const last = this.#last.get(domain);
    if (last?.incarnation === incarnation && last.generation >= generation) return;
    this.#last.set(domain, { incarnation, generation });
  }
}
