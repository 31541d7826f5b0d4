import { NotHere } from "./problem.ts";

/** The result of one step; `error` may be a `Problem` (problem.ts), or anything else that the step threw. */
export type StepResult =
  | { readonly step: string; readonly state: "ok"; readonly detail: string }
  | { readonly step: string; readonly state: "skipped"; readonly detail: string }
  | { readonly step: string; readonly state: "failed"; readonly error: unknown };

/** A step, the step that it depends on, and what it does: it returns what it found, or throws. */
export type Step = readonly [step: string, needs: string | null, run: () => string | Promise<string>];

/** Runs steps in order, and skips those that do not apply, and those that depend on one that failed or was skipped. */
export async function* runSteps(steps: readonly Step[]): AsyncGenerator<StepResult> {
  /** Why steps are skipped that need these. */
  const missing = new Map<string | null, string>();
  for (const [step, needs, run] of steps) {
    let result: StepResult;
    const why = missing.get(needs);
    if (why !== undefined) {
      missing.set(step, why);
      yield { step, state: "skipped", detail: why };
      continue;
    }
    try {
      result = { step, state: "ok", detail: await run() };
    } catch (error) {
      result =
        error instanceof NotHere
          ? { step, state: "skipped", detail: error.message }
          : { step, state: "failed", error };
      missing.set(step, result.state === "skipped" ? result.detail : "an earlier step failed");
    }
    yield result;
  }
}
