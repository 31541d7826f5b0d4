/** Worlds of one seed after the other. */
import { Tally } from "./basics/tally.ts";
import { makePlan } from "./plan/make.ts";
import type { Plan } from "./plan/plan.ts";
import { runWorld } from "./run.ts";
import type { Violation } from "./scene/scene.ts";

export interface Worlds {
  readonly tally: Tally;
  /** The next seed that was not run. */
  readonly next: number;
  /** The first violation, with the plan of its world. */
  readonly found: { readonly plan: Plan; readonly violation: Violation } | null;
}

/**
 * Runs worlds until `checks` checks were made, one world at least, or until the first violation.
 * @param world checks of one world, about
 */
export async function runWorlds(
  seed: number,
  checks: number,
  world: number,
  progress: (next: number, checks: number) => void = () => undefined,
): Promise<Worlds> {
  const tally = new Tally();
  for (let next = seed; ; ) {
    const plan = makePlan(next, world);
    const { scene, violation } = await runWorld(plan);
    tally.add(scene.tally);
    if (violation !== null) return { tally, next, found: { plan, violation } };
    next++;
    progress(next, tally.checks);
    if (tally.checks >= checks) return { tally, next, found: null };
  }
}
