/** All judges of one world, put together. */
import { BridgeJudge } from "../model/bridge-judge.ts";
import { BudgetJudge } from "../model/budget-judge.ts";
import { CostJudge } from "../model/cost-judge.ts";
import { HttpJudge, type HttpJudgeParts } from "../model/http-judge.ts";
import { Judge, type JudgeParts } from "../model/judge.ts";
import { PacingJudge } from "../model/pacing-judge.ts";
import { ReplicaJudge } from "../model/replica-judge.ts";
import type { Setup, Shape } from "../plan/plan.ts";

export interface JudgesParts extends JudgeParts, Omit<HttpJudgeParts, "judge"> {
  readonly setup: Setup;
  shapeOf(domain: string): Shape;
}

export type Judges = ReturnType<typeof judgesOf>;

export function judgesOf(parts: JudgesParts) {
  const { setup, shapeOf } = parts;
  const answers = new Judge(parts);
  return {
    answers,
    http: new HttpJudge({ ...parts, judge: answers }),
    bridges: new BridgeJudge({ ...parts, history: setup.history }),
    pacing: new PacingJudge(parts, setup.kvWrites),
    replicas: new ReplicaJudge(parts),
    budgets: new BudgetJudge(parts),
    costs: new CostJudge({
      ...parts,
      partitions: setup.partitions,
      domains: setup.domains,
      bitsOf: (domain) => shapeOf(domain).bits,
    }),
  };
}
