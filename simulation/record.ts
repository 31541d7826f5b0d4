/** What runs leave behind as JSON, for the tables of docs/consistency.md. */
import type { TallyRecord } from "./basics/tally.ts";

/** One run of the simulation. */
export type RunRecord = TallyRecord & {
  readonly first: number;
  readonly last: number;
  /** Checks of one world. */
  readonly world: number;
};

/** One rule that was left out. */
export interface MutantRecord {
  readonly name: string;
  readonly rule: string;
  /** What caught it, null where nothing did. */
  readonly caught: { readonly assertion: string; readonly seed: number } | null;
  readonly seconds: number;
}
