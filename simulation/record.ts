/** What runs write as JSON, for the tables of docs/consistency.md. */
import type { TallyRecord } from "./basics/tally.ts";

/** One run of the simulation. */
export type RunRecord = TallyRecord & {
  readonly first: number;
  readonly last: number;
  /** Checks of one world. */
  readonly world: number;
};

/** Worlds from one seed on, with a rule left out. */
export interface Start {
  readonly seed: number;
  /** Until the violation, or in all. */
  readonly checks: number;
  /** What caught the mutant, null if nothing did. */
  readonly assertion: string | null;
}

/** One rule that was left out. */
export interface MutantRecord {
  readonly name: string;
  readonly rule: string;
  readonly starts: readonly Start[];
}

/** Checks of one start: a mutant that is not caught by then has survived it. */
export const CHECKS_OF_A_START = 50_000;
/** Starts of one mutant, and in how many of them it must be caught. */
export const STARTS = 5;
export const MUST_CATCH = 3;

const caughtIn = ({ starts }: MutantRecord): Start[] => starts.filter(({ assertion }) => assertion !== null);

export const isCaught = (record: MutantRecord): boolean => caughtIn(record).length >= MUST_CATCH;

/** In how many starts it was caught, by what most often, and after how many checks: the median, and the most. */
export function summaryOf(record: MutantRecord) {
  const assertions = caughtIn(record).map(({ assertion }) => assertion);
  const timesOf = (it: string | null): number => assertions.filter((other) => other === it).length;
  const [assertion = null] = assertions.toSorted((a, b) => timesOf(b) - timesOf(a));
  const checks = record.starts.map((start) => start.checks).sort((a, b) => a - b);
  return {
    caught: assertions.length,
    assertion,
    median: checks[Math.floor(checks.length / 2)] ?? 0,
    worst: checks.at(-1) ?? 0,
  };
}
