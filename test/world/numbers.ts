/** Whole numbers of 32 bits from a pinned seed (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Bytes from a pinned seed. */
export function bytesFrom(seed: number): (count: number) => Uint8Array {
  const next = numbersFrom(seed);
  return (count) => Uint8Array.from({ length: count }, () => next() & 0xff);
}

/** Choices from a pinned seed. */
export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = numbersFrom(seed);
  }

  /** A whole number from 0 to `below`, without it. */
  number(below: number): number {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  /** True in `share` of all cases. */
  happens(share: number): boolean {
    return this.#next() / 2 ** 32 < share;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.number(choices.length)] as T;
  }
}
