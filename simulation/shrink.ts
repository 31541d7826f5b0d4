/** Makes a failing world small enough to be understood: steps are left out as long as the same assertion fails. */
import type { Plan, Step } from "./plan/plan.ts";
import { type Outcome, runWorld } from "./run.ts";
import type { Violation } from "./scene/scene.ts";
import { story } from "./story.ts";

/** Times that a world is run again at most. */
const RUNS = 400;

export const headline = (seed: number, { assertion, words }: Violation): string =>
  `VIOLATION in seed ${seed} of "${assertion}": ${words}`;

/** Runs again and again with less, and tells what is left. */
export async function shrink(plan: Plan, violation: Violation): Promise<string> {
  const shrinker = new Shrinker(plan, violation.assertion);
  // What comes after the violation has no part in it; if it came at the end, everything may have.
  const steps = plan.steps.filter((step) => step.at <= violation.at);
  await shrinker.minimise(steps);
  await shrinker.fewerChecks();
  const { plan: small } = shrinker;
  const { scene, violation: left } = await runWorld(small, { traces: true });
  if (left === null) throw new Error("a run was not the same the second time");
  return [
    `shrunk from ${plan.steps.length} steps to ${small.steps.length} in ${shrinker.runs} runs:`,
    ...story(small, scene.traces, left),
  ].join("\n");
}

class Shrinker {
  plan: Plan;
  runs = 0;
  readonly #assertion: string;

  constructor(plan: Plan, assertion: string) {
    this.plan = plan;
    this.#assertion = assertion;
  }

  /** Delta debugging: leaves out ever smaller parts. */
  async minimise(steps: readonly Step[]): Promise<void> {
    if (!(await this.#keep(steps))) return;
    for (let parts = 2; parts <= this.plan.steps.length && this.runs < RUNS; ) {
      const { steps: present } = this.plan;
      const size = Math.ceil(present.length / parts);
      let isLess = false;
      for (let at = 0; at < present.length && this.runs < RUNS; at += size) {
        const kept = [...this.plan.steps.filter((step) => !present.slice(at, at + size).includes(step))];
        if (kept.length < this.plan.steps.length && (await this.#keep(kept))) isLess = true;
      }
      if (isLess) parts = Math.max(2, Math.min(parts, this.plan.steps.length));
      else if (parts >= this.plan.steps.length) return;
      else parts = Math.min(2 * parts, this.plan.steps.length);
    }
  }

  /** Asks fewer questions at each visit. */
  async fewerChecks(): Promise<void> {
    for (let count = 1; count <= 64; count *= 4) {
      const fewer = this.plan.steps.map((step) =>
        "count" in step && step.count > count ? { ...step, count } : step,
      );
      if (await this.#keep(fewer)) return;
    }
  }

  /** Keeps these steps if the same assertion fails with them. */
  async #keep(steps: readonly Step[]): Promise<boolean> {
    this.runs++;
    const plan = { ...this.plan, steps };
    const { violation }: Outcome = await runWorld(plan);
    if (violation?.assertion !== this.#assertion) return false;
    this.plan = plan;
    return true;
  }
}
