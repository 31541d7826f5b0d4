import fc from "fast-check";
import { FULL } from "./support/full.ts";

/*
 * Property tests repeat the same cases in every run, so that a failure occurs everywhere. To try other cases,
 * set other numbers: ROLLCALL_SEED=7 ROLLCALL_RUNS=5000 npx vitest run --project shared
 */
fc.configureGlobal({
  seed: Number(process.env.ROLLCALL_SEED ?? 20_260_701),
  numRuns: Number(process.env.ROLLCALL_RUNS ?? (FULL ? 200 : 80)),
  // Mutation testing only needs to know that a property fails, not the smallest case in which it does.
  endOnFailure: process.env.ROLLCALL_MUTATION_TESTS !== undefined,
});
