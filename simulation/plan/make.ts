/** Makes a plan from a seed alone, before anything happens, so that parts can be left out. */
import { Random } from "../../testing/random.ts";
import { addEpisodes } from "./episodes.ts";
import { addChanges, addIsolates, addPast, addRollouts, addTokens } from "./life.ts";
import { addLoss, SHORTEST_WITH_LOSS } from "./loss.ts";
import { addExportsTakenBack, addLateExport, addMeetings, addSleeper } from "./meetings.ts";
import { type Bare, DAY, HOUR, MINUTE, type Plan, type Step } from "./plan.ts";
import { addChecks } from "./questions.ts";
import { isQuiet, isTrouble } from "./quiet.ts";
import { makeSetup } from "./setup.ts";
import { addTroubles } from "./troubles.ts";

/** Checks of one world where nothing else is asked for. */
export const CHECKS_OF_A_WORLD = 20_000;

export function makePlan(seed: number, checks = CHECKS_OF_A_WORLD): Plan {
  const random = new Random(seed, "plan");
  const setup = makeSetup(seed, random);
  const steps: Step[] = [];
  const add = (at: number, step: Bare): void => {
    steps.push({ id: steps.length, at: Math.round(at), ...step } as Step);
  };
  const length = random.between(4, 25) * MINUTE;
  addIsolates(random, setup, length, add);
  addChanges(random, setup, length, add);
  addEpisodes(random, setup, length, add);
  addTroubles(random, setup, length, add);
  addMeetings(random, setup, length, add);
  if (length >= SHORTEST_WITH_LOSS && random.chance(0.3)) addLoss(random, setup, length, add);
  addRollouts(random, setup, length, add);
  addChecks(random, length, checks, steps, add);
  addTokens(random, length, add);
  addPast(new Random(seed, "past"), setup, length, add);
  addLateExport(new Random(seed, "late export"), setup, length, add);
  addExportsTakenBack(new Random(seed, "exports taken back"), setup, length, add);

  const gap = random.chance(0.25)
    ? { from: random.next() * length, by: random.pick([HOUR, 3 * HOUR, 26 * HOUR, 75 * HOUR]) }
    : null;
  // A tombstone ends a day after the deletion, and is let go of when its history is over.
  if (gap !== null && gap.by >= setup.history + DAY + HOUR)
    addSleeper(new Random(seed, "sleeper"), setup, gap.from, add);
  const shift = (at: number): number => (gap === null || at < gap.from ? at : at + gap.by);
  return {
    seed,
    setup,
    length: shift(length) + 5_000,
    // In the order in which they happen; those of one moment in the order in which they were thought of.
    steps: steps
      .filter((step) => !(isQuiet(seed) && isTrouble(step)))
      .map((step) => ({ ...step, at: shift(step.at) }))
      .sort((a, b) => a.at - b.at || a.id - b.id),
  };
}
