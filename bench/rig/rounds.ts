/** Interleaving: what is compared takes turns, so that a machine's moods hit both alike. */

/** Two sides of one comparison. */
export interface Compared {
  /** Ours over theirs, a ratio a round. */
  readonly ratio: Spread;
  readonly ours: Spread;
  readonly theirs: Spread;
}

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** Theirs, ours, theirs, ours, ..., theirs: each of ours is held against the mean of its two neighbours. */
export async function interleave(
  rounds: number,
  theirs: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Compared> {
  const ourRates: number[] = [];
  const theirRates = [await theirs()];
  for (let round = 0; round < rounds; round++) {
    ourRates.push(await ours());
    theirRates.push(await theirs());
  }
  const neighbours = ourRates.map((_, i) => ((theirRates[i] as number) + (theirRates[i + 1] as number)) / 2);
  return {
    ratio: spreadOf(ourRates.map((rate, i) => rate / (neighbours[i] as number))),
    ours: spreadOf(ourRates),
    theirs: spreadOf(theirRates),
  };
}

/** @param numbers at least one */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] as number;
  const middle = Math.floor(sorted.length / 2);
  return {
    median: sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2,
    lowest: at(0),
    highest: at(sorted.length - 1),
  };
}
