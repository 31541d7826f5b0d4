/** The result of one step; `error` may be a `Problem` (problem.ts), or anything else that the step threw. */
export type StepResult =
  | { readonly step: string; readonly state: "ok"; readonly detail: string }
  | { readonly step: string; readonly state: "skipped" }
  | { readonly step: string; readonly state: "failed"; readonly error: unknown };

/** A step, the step that it depends on, and what it does: it returns what it found, or throws. */
export type Step = readonly [step: string, needs: string | null, run: () => string | Promise<string>];

/** Runs steps in order, and skips those that depend on one that failed. */
export async function* runSteps(steps: readonly Step[]): AsyncGenerator<StepResult> {
  const succeeded = new Set<string | null>([null]);
  for (const [step, needs, run] of steps) {
    if (!succeeded.has(needs)) {
      yield { step, state: "skipped" };
      continue;
    }
    let result: StepResult;
    try {
      result = { step, state: "ok", detail: await run() };
      succeeded.add(step);
    } catch (error) {
      result = { step, state: "failed", error };
    }
    yield result;
  }
}
