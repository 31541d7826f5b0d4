/** Makes a plan from a seed alone, before anything happens, so that parts can be left out. */
import { Random } from "../../testing/random.ts";
import { addEpisodes } from "./episodes.ts";
import { addChanges, addIsolates, addRollouts, addTokens } from "./life.ts";
import { addLoss, SHORTEST_WITH_LOSS } from "./loss.ts";
import { addDayAway, addGoneDomain, addMeetings, addSleeper, TIME_BEFORE_SLEEP } from "./meetings.ts";
import { addPatches } from "./patches.ts";
import { addPatterns } from "./patterns.ts";
import { type Bare, DAY, HOUR, MINUTE, type Plan, type Step } from "./plan.ts";
import { addChecks } from "./questions.ts";
import { isQuiet, isTrouble } from "./quiet.ts";
import { addReplicas, pauseOfHosts } from "./replicas.ts";
import { makeSetup } from "./setup.ts";
import { addTroubles } from "./troubles.ts";

/** Checks of one world if nothing else is asked for. */
export const CHECKS_OF_A_WORLD = 20_000;

/** Pauses without traffic; in the longest one, deleted domains are pruned. */
const PAUSES = [HOUR, 3 * HOUR, 26 * HOUR, 75 * HOUR, 75 * HOUR];
const SHARE_WITH_PAUSE = 0.3;
const SHARE_WITH_LOSS = 0.3;

/** @param checks about how many questions to ask; a world of few checks has less of everything that asks */
export function makePlan(seed: number, checks = CHECKS_OF_A_WORLD): Plan {
  const random = new Random(seed, "plan");
  const scale = Math.min(1, checks / CHECKS_OF_A_WORLD);
  const pause = random.chance(SHARE_WITH_PAUSE) ? random.pick(PAUSES) : 0;
  const prunes = pause === Math.max(...PAUSES);
  const hasLoss = random.chance(SHARE_WITH_LOSS);
  const setup = makeSetup(seed, random, { prunes, hasLoss });
  const steps: Step[] = [];
  const add = (at: number, step: Bare): void => {
    steps.push({ id: steps.length, at: Math.round(at), ...step } as Step);
  };
  const length = Math.max(hasLoss ? SHORTEST_WITH_LOSS : 0, random.between(4, 25) * MINUTE);
  addIsolates(random, setup, length, scale, add);
  addChanges(random, setup, length, add);
  addEpisodes(random, setup, length, add);
  addTroubles(random, setup, length, scale, add);
  addMeetings(seed, setup, length, add);
  if (hasLoss) addLoss(seed, new Random(seed, "loss"), setup, length, add);
  addRollouts(random, setup, length, add);
  addChecks(random, length, checks, scale, steps, add);
  addTokens(random, length, add);
  addReplicas(new Random(seed, "replicas"), setup, length, steps, add);
  addPatches(new Random(seed, "patches"), setup, length, steps, add);
  addPatterns(new Random(seed, "patterns"), setup, length, add);
  const earliest = prunes ? TIME_BEFORE_SLEEP : 0;
  const from = earliest + random.next() * (length - earliest);
  if (prunes) addSleeper(seed, setup, from, add);
  else if (pause > DAY && from > MINUTE) addGoneDomain(seed, setup, from, add);
  if (pause > DAY && from > MINUTE) addDayAway(seed, setup, from, add);
  const shift = (at: number): number => (at < from ? at : at + pause);
  return {
    seed,
    setup,
    length: shift(length) + 5_000,
    pause:
      pause === 0
        ? null
        : { at: from - 10, trouble: pauseOfHosts(new Random(seed, "pause of hosts"), pause) },
    // In the order in which they happen; those of one moment in the order in which they were thought of.
    steps: steps
      .filter((step) => !(isQuiet(seed) && isTrouble(step)))
      .map((step) => ({ ...step, at: shift(step.at) }))
      .sort((a, b) => a.at - b.at || a.id - b.id),
  };
}
