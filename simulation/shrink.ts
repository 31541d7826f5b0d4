import type { Plan } from "./plan.ts";
import { runWorld } from "./run.ts";
import type { Violation } from "./scene.ts";

export async function shrink(plan: Plan, violation: Violation): Promise<string> {
  const { scene } = await runWorld(plan, { traces: true });
  return [`seed ${plan.seed}: ${violation.assertion}: ${violation.words}`, ...scene.traces].join("\n");
}
