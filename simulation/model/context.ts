/** What every judge needs. */
import type { Tally } from "../basics/tally.ts";
import type { ModelDirectory } from "./directory.ts";

export interface JudgeContext {
  readonly model: ModelDirectory;
  readonly tally: Tally;
  now(): number;
  violation(assertion: string, words: string): void;
}
