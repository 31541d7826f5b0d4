/** Comparisons in turns, so that a change in the machine's speed affects both sides alike. */
import type { Spread } from "../report/measurement.ts";

/** Two sides of one comparison. */
export interface Compared {
  /** Ours over theirs, a ratio a round. */
  readonly ratio: Spread;
  readonly ours: Spread;
  readonly theirs: Spread;
}

/** Rates of several sides, each a number a round. */
export interface Turns {
  readonly ours: readonly number[][];
  /** The mean of theirs before and after each round. */
  readonly theirs: readonly number[];
}

/** Theirs, each of ours, theirs, each of ours, ..., theirs. */
export async function inTurns(
  rounds: number,
  theirs: () => Promise<number>,
  ours: readonly (() => Promise<number>)[],
): Promise<Turns> {
  const rates = ours.map((): number[] => []);
  const theirRates = [await theirs()];
  for (let round = 0; round < rounds; round++) {
    for (const [i, each] of ours.entries()) rates[i]?.push(await each());
    theirRates.push(await theirs());
  }
  return { ours: rates, theirs: meansOfNeighbours(theirRates) };
}

/** Ours over theirs, round by round. */
export const ratioOf = (ours: readonly number[], theirs: readonly number[]): Spread =>
  spreadOf(ours.map((rate, i) => rate / (theirs[i] as number)));

/** Theirs, ours, theirs, ours, ..., theirs: each of ours is divided by the mean of its two neighbours. */
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
  const means = meansOfNeighbours(theirRates);
  return {
    ratio: spreadOf(ourRates.map((rate, i) => rate / (means[i] as number))),
    ours: spreadOf(ourRates),
    theirs: spreadOf(theirRates),
  };
}

export const meansOfNeighbours = (rates: readonly number[]): number[] =>
  rates.slice(1).map((rate, i) => ((rates[i] as number) + rate) / 2);

/** @param numbers at least one */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (index: number): number => sorted[Math.floor(index)] as number;
  const { length } = sorted;
  return { value: (at((length - 1) / 2) + at(length / 2)) / 2, lowest: at(0), highest: at(length - 1) };
}

/** The value in the middle. */
export const median = (numbers: readonly number[]): number => spreadOf(numbers).value;
