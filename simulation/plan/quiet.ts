/** Worlds in which nothing goes wrong: there whatever is asked has a verdict. */
import type { Bare } from "./plan.ts";

/** One world in so many is quiet. */
const QUIET = 10;

export const isQuiet = (seed: number): boolean => seed % QUIET === 0;

const TROUBLES: ReadonlySet<Bare["kind"]> = new Set(["episode", "restart", "loss", "initialise"]);

/** Whether a step is a fault, or belongs to one. */
export const isTrouble = (step: Bare): boolean =>
  step.kind === "host" ? step.trouble.what !== "end" : TROUBLES.has(step.kind);
