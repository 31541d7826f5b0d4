/** What a host has heard of the Registries' logs. */
import type { HeardHead, HeardHeads } from "../model/answerer.ts";

export interface HeardLogsParts {
  now(): number;
  partitionOf(domain: string): number;
}

export class HeardLogs implements HeardHeads {
  readonly #parts: HeardLogsParts;
  readonly #heads = new Map<string, HeardHead>();
  readonly #logs = new Map<number, HeardHead>();

  constructor(parts: HeardLogsParts) {
    this.#parts = parts;
  }

  /** The head of a domain; generation 0 if the log of its partition is known, and not that it lists one. */
  get(domain: string): HeardHead | undefined {
    return this.#heads.get(domain) ?? this.#logs.get(this.#parts.partitionOf(domain));
  }

  note(
    partition: number,
    incarnation: number,
    heads: readonly (readonly [domain: string, number: number])[],
  ): void {
    const at = this.#parts.now();
    if (this.#logs.get(partition)?.incarnation !== incarnation)
      this.#logs.set(partition, { partition, incarnation, generation: 0, at });
    for (const [domain, generation] of heads)
      this.#heads.set(domain, { partition, incarnation, generation, at });
  }

  /** An answer that names all heads arrived: others are gone, from some moment on. */
  forgetHeads(partition: number): void {
    for (const [domain, it] of this.#heads) if (it.partition === partition) this.#heads.delete(domain);
  }

  clear(): void {
    this.#heads.clear();
    this.#logs.clear();
  }
}
